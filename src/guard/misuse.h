/* layer 4.13: misuse: what is said of the misuse of a guarded block
 *
 * One line that names kind, address and block, then who did it, who allocated
 * the block and who freed it, each with its stack:
 *
 *	use after free: read of 0x..., 8 bytes into a block of 100 bytes
 *	overflow: write to 0x..., 0 bytes right of a block of 100 bytes
 *	underflow: read of 0x..., 8 bytes left of a block of 100 bytes
 *	double free: free of 0x..., a block of 100 bytes
 *	invalid free: free of 0x..., 16 bytes into a block of 100 bytes
 *	overflow: free of 0x..., written 0 bytes right of its 100 bytes
 *	underflow: free of 0x..., written 8 bytes left of its 100 bytes
 *
 * Then the program ends, unless guard_recover=1; then each slot has one report
 * (slot.h), so that a loop does not fill a disk, and the page of a bad access
 * is accessible from then on.
 *
 * Works in the handler of the fault and anywhere else; waits for nobody. Of two
 * threads at once each tells its own.
 */
#ifndef LANE_MISUSE_H
#define LANE_MISUSE_H

#include <ucontext.h>

#include "base/compiler.h"

enum misuse_end {
	MISUSE_NONE,	/* no guarded block is near: not ours */
	MISUSE_ENDS,	/* told; the program's handler, or its end */
	MISUSE_GOES_ON, /* the access can be made now */
};

/* Tells of a fault at an address. */
enum misuse_end misuse_access(uintptr_t at, const ucontext_t *context);

/* Tells of a pointer that was given to `verb` and is in the pool, and no live
 * guarded block. Returns with guard_recover=1. */
void misuse_pointer(const void *pointer, const char *verb);

/* Tells of a live block beside which bytes were written, at `damage`. Returns
 * with guard_recover=1. */
void misuse_damage(const void *block, const void *damage, const char *verb);

/* Looks at all live blocks, and tells of the first damaged one, or with
 * guard_recover=1 of all; how many there are. Bounded by the pool; a block that
 * is freed or made meanwhile is left out. */
unsigned misuse_sweep(const char *verb);

#endif
