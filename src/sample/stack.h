/* layer 4.8: stack: the stack of who allocates is kept, without our own calls
 *
 * A stack that was walked before is known by its words (memo.h); else it is
 * walked (unwind.h), what is the library's at its beginning is cut off, and the
 * rest is kept once (trace.h). Needs the tables (sampler.h). Wait-free, but for
 * the CAS of trace.h's bounds; may run in signal handlers.
 */
#ifndef LANE_STACK_H
#define LANE_STACK_H

#include "base/compiler.h"

/* Keeps the stack of the calling function's callers; 0: none could be kept. */
uint32_t sample_stack_keep(void);

#endif
