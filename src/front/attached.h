/* layer 5.5: attached: the profile is on while a tracer reads its probes
 *
 * A tracer that attaches to a probe (sample/probe.h) raises its semaphore.
 * Every allocation that no lane serves looks at them; the first that sees a
 * change makes it so, and the others go on:
 *
 *	NONE --reader there, profile was off--> STARTED --gone--> NONE: off
 *	NONE --reader there, profile was on---> FOUND ----gone--> NONE: as it is
 *
 * by a CAS of the state before the deed. Who starts it looks at the state again
 * behind the deed, as the reader may have gone while the thread slept. In a
 * sandbox (sandbox.h) nothing changes: the program did not ask, and a filter
 * may kill for what a start asks of the kernel. A program that stops the
 * profile meanwhile has stopped it, until the next reader comes. Where there is
 * no memory for it, it stays off for this reader. A thread that dies between
 * CAS and deed leaves the profile as it was, until the next change. A child of
 * a fork has the state and the semaphore of its parent: the tracer that counts
 * those of the kernel raises and lowers it in each process that it traces.
 *
 * Wait-free, but for what starting the profile is.
 */
#ifndef LANE_ATTACHED_H
#define LANE_ATTACHED_H

#include "sample/probe.h"

enum attached { ATTACHED_NONE, ATTACHED_STARTED, ATTACHED_FOUND };

extern _Atomic(uint32_t) attached_state internal; /* atomic: enum attached */

void attached_change(bool read);

static force_inline void attached_look(void)
{
	bool read = probe_is_read();

	if (unlikely(read != !!load_relaxed(&attached_state))) // hint
		attached_change(read);
}

#endif
