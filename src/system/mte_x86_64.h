/* layer 1.1: mte: a processor without memory tagging
 *
 * Each architecture's file defines exactly
 *
 *	MTE_IS_POSSIBLE			whether any of its processors has it;
 *					where not, all else is never called
 *	MTE_MAP				the bit for mprotect()
 *	mte_colour(pointer)		a pointer's colour
 *	mte_plain(pointer)		the pointer without it
 *	mte_draw(pointer, without)	the pointer with a random colour, of
 *					those whose bit in `without` is 0; with
 *					colour 0 in a thread without colours
 *	mte_load(pointer)		the pointer with the colour of the
 *					memory there, which must be mapped
 *	mte_store(pointer, size)	gives memory the pointer's colour; both
 *					in whole granules
 *	mte_unchecked()			the thread's accesses fault no more;
 *					what was before
 *	mte_checked(before)		as it was before
 *
 * Memory that was not mapped for colours has colour 0 and keeps it.
 */
#ifndef LANE_MTE_ARCH_H
#define LANE_MTE_ARCH_H

#include "base/compiler.h"

#define MTE_IS_POSSIBLE false
#define MTE_MAP 0

static force_inline unsigned mte_colour(const void *pointer)
{
	(void)pointer;
	return 0;
}

static force_inline void *mte_plain(const void *pointer)
{
	return (void *)(uintptr_t)pointer;
}

static force_inline void *mte_draw(void *pointer, uint64_t without)
{
	(void)without;
	return pointer;
}

static force_inline void *mte_load(const void *pointer)
{
	return (void *)(uintptr_t)pointer;
}

static force_inline void mte_store(void *pointer, size_t size)
{
	(void)pointer, (void)size;
}

static force_inline uint64_t mte_unchecked(void)
{
	return 0;
}

static force_inline void mte_checked(uint64_t before)
{
	(void)before;
}

#endif
