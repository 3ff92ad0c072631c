/* layer 5.2: block_fault: the end of the program over one block
 *
 * The first line is as fault()'s (system/fault.h). With checks=full more lines
 * follow: the block's size and the stacks that allocated and freed it, the
 * bytes where it was damaged, and its neighbours in the slab, live or freed,
 * with the stacks of theirs: who wrote over a block's beginning was, most of
 * the time, the one to the left. Of a pointer that is none of a block: the
 * stack of the call, and the object that it points into.
 *
 * Reads blocks that are others', as they are now: a hint. Wait-free.
 */
#ifndef LANE_BLOCK_FAULT_H
#define LANE_BLOCK_FAULT_H

#include "front/footer.h"

/* Ends the program; at: the damaged byte, NULL where there is none. Of a block
 * that is none, the kind alone is asked for. */
_Noreturn void block_fault(const void *pointer, const struct block *block,
			   const char *at, const char *fmt, ...)
	printf_like(4, 5);

#endif
