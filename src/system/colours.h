/* layer 1.5: colours: whether the program's blocks have colours (mte.h)
 *
 * With hardened=1, on a processor and a kernel that tag memory, and as the
 * option mte says. Decided once, by the first start that knows the options:
 *
 *	not known --start--> without, for ever
 *			 --> with, for ever
 *
 * The kernel keeps the mode for each thread, and gives it to the threads and
 * children that it makes. Threads that were there before would get EFAULT for
 * each coloured pointer that they pass to the kernel: in a program that has
 * some, as one that loads the library late, nothing has colours. checks=full
 * looks at more and writes behind live blocks' ends, so there are none with it
 * either.
 *
 * Interleavings: a handler that starts the heap in the middle of another start
 * decides alike; both ask the kernel for the same. A thread that dies there has
 * the mode for itself. Everything is wait-free but for what the kernel does.
 */
#ifndef LANE_COLOURS_H
#define LANE_COLOURS_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "system/mte.h"

enum colours_mode { COLOURS_UNKNOWN, COLOURS_OFF, COLOURS_SYNC, COLOURS_ASYNC };

/* atomic: enum colours_mode, set once */
extern _Atomic(uint32_t) colours_mode internal;

static force_inline bool colours_are_on(void)
{
	return MTE_IS_POSSIBLE &&
	       unlikely(load_relaxed(&colours_mode) > COLOURS_OFF); // hint
}

/* Objects side by side have different colours: those of odd numbers in a slab
 * odd ones. The colours that may not be drawn, a bit each. */
static force_inline uint64_t colours_without(uint32_t index)
{
	return index & 1 ? 0x5555 : 0xaaab; /* nor 0 */
}

/* Whether an object of that number may have it. */
static force_inline bool colours_fit(uint32_t index, unsigned colour)
{
	return !(colours_without(index) >> colour & 1);
}

/* Decides, where it is not decided; true: the memory that is mapped by now has
 * to be covered. By config_start()'s caller. */
bool colours_start(void);

/* Makes mapped pages of blocks' memory able to have colours; else they have
 * none, and who looks at them sees that. */
void colours_cover(void *addr, size_t size);

#endif
