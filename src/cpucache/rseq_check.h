/* layer 4.3: rseq check: whether this kernel aborts sections
 *
 * Called once, where the program is about to have threads: it gives birth to
 * a helper (system/helper.h) and so never runs in an allocation. Wait-free but
 * for the helper's end; leaves errno alone.
 */
#ifndef LANE_RSEQ_CHECK_H
#define LANE_RSEQ_CHECK_H

#include "base/compiler.h"

/* Checks by behaviour that this kernel aborts a section when its thread is
 * scheduled out and goes on on its CPU. Gives birth to a helper on the
 * caller's CPU, which is gone on return; takes a fraction of a millisecond, on
 * a busy machine a few. Runs once: later calls get the first one's answer.
 * False: sections are not safe here, call rseq_give_up(). True also where
 * nothing was seen either way. Cannot kill: no system call is made inside a
 * section. */
bool rseq_kernel_aborts(void);

#endif
