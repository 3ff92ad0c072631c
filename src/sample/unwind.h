/* layer 4.7: unwind: the return addresses on a stack, without a lock
 *
 * From a frame on its callers: by the tables of .eh_frame (cfi.h) and, where no
 * table describes an address (code that the program made itself, a libc before
 * 2.35, a program without tables), by the frame pointer. It stops where neither
 * leads on: a caller's frame lies above its callee's, but where a signal
 * changed the stack; a frame pointer is aligned and lies above, too. What is
 * found until then is a true beginning of the stack, nearest function first.
 *
 * Works in signal handlers, on the stacks of coroutines and in any thread.
 * Allocates nothing, waits for nobody, and a bad address ends the walk without
 * a fault (memory.h). It takes some 2 KiB of stack. A walk on by frame pointers
 * through a function that keeps none there may miss callers.
 */
#ifndef LANE_UNWIND_H
#define LANE_UNWIND_H

#include "sample/frame.h"
#include "sample/memo.h"

#define UNWIND_MOST 64

/* Fills pcs with at most `most` addresses behind calls, that of `frame` first;
 * how many. Where a signal interrupted a function, the address behind the
 * first byte of its next instruction: one less always lies in the function. */
unsigned unwind(struct frame *frame, uint64_t *pcs, unsigned most);

/* Fills pcs as unwind() does, but from the caller of `frame` on, which is the
 * calling function's own, and notes what that hangs on. The frame is another's
 * then. */
unsigned unwind_callers(struct frame *frame, struct memory *memory,
			uint64_t *pcs, unsigned most, struct memo_notes *notes);

/* Fills pcs as unwind() does, from the caller of this function on. */
unsigned unwind_here(uint64_t *pcs, unsigned most);

#endif
