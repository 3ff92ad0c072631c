/* layer 1.1: mte: memory tagging on aarch64
 *
 * The contract is at the head of mte_x86_64.h. The instructions are undefined
 * on processors without FEAT_MTE2: who calls these has asked (colours.h). They
 * stand here as numbers, since assemblers refuse them where the rest of a file
 * is for a processor of before.
 */
#ifndef LANE_MTE_ARCH_H
#define LANE_MTE_ARCH_H

#include "base/compiler.h"

#define MTE_IS_POSSIBLE true
#define MTE_MAP 0x20 /* PROT_MTE */
#define MTE_SHIFT 56
#define MTE_MASK ((uint64_t)15 << MTE_SHIFT)
#define MTE_OVERRIDE "s3_3_c4_c2_7" /* TCO, likewise */

static force_inline unsigned mte_colour(const void *pointer)
{
	return (uintptr_t)pointer >> MTE_SHIFT & 15;
}

static force_inline void *mte_plain(const void *pointer)
{
	return (void *)((uintptr_t)pointer & ~MTE_MASK);
}

/* irg x0, x0, x1 */
static force_inline void *mte_draw(void *pointer, uint64_t without)
{
	register void *x0 __asm__("x0") = pointer;
	register uint64_t x1 __asm__("x1") = without;

	__asm__ volatile(".inst 0x9ac11000" : "+r"(x0) : "r"(x1));
	return x0;
}

/* ldg x0, [x0] */
static force_inline void *mte_load(const void *pointer)
{
	register const void *x0 __asm__("x0") = pointer;

	__asm__ volatile(".inst 0xd9600000" : "+r"(x0) : : "memory");
	return (void *)(uintptr_t)x0;
}

/* st2g x0, [x0]; of one granule stg x0, [x0] */
static force_inline void mte_store(void *pointer, size_t size)
{
	register char *x0 __asm__("x0") = pointer;
	char *end = x0 + size;

	for (; x0 + 2 * MTE_GRANULE <= end; x0 += 2 * MTE_GRANULE)
		__asm__ volatile(".inst 0xd9a00800" : : "r"(x0) : "memory");
	if (x0 < end)
		__asm__ volatile(".inst 0xd9200800" : : "r"(x0) : "memory");
}

static force_inline uint64_t mte_unchecked(void)
{
	uint64_t before;

	__asm__ volatile("mrs %0, " MTE_OVERRIDE "\n\t"
			 "msr " MTE_OVERRIDE ", %1"
			 : "=&r"(before)
			 : "r"((uint64_t)1 << 25)
			 : "memory");
	return before;
}

static force_inline void mte_checked(uint64_t before)
{
	__asm__ volatile("msr " MTE_OVERRIDE ", %0" : : "r"(before) : "memory");
}

#endif
