/* layer 4.5: expression: where a register is, as linkers and libc say it
 *
 * A stack of words, with the operations that are met in tables of call frames:
 * in procedure linkage tables, behind signal handlers, and where a function
 * aligns its stack. No loops, so it ends with its text. Pure, but for reads.
 */
#ifndef LANE_EXPRESSION_H
#define LANE_EXPRESSION_H

#include "sample/frame.h"
#include "sample/memory.h"

/* Runs an expression. at: the length, then the operations. initial: pushed
 * before the first one; NULL: nothing is. False: it has no value. */
bool expression_value(const unsigned char *at, const struct frame *frame,
		      struct memory *memory, const uint64_t *initial,
		      uint64_t *out);

#endif
