/* layer 5.2: outside: what a program outside the process asks for
 *
 * Two ask, each by a word of ours that it writes: who writes `outside_switch`
 * by process_vm_writev() or a debugger (lanemalloc_view.h: the profile on, the
 * profile off), and a tracer that attaches to a probe and raises its semaphore
 * (sample/probe.h). Slow paths look at both, so it is done at the next miss of
 * any thread, and never in a process that makes none.
 * The helper's ticks empty the caches while something is asked for, so that
 * there is a miss as soon as anybody allocates.
 *
 * The switch is taken by an exchange, and of those that see it one does it:
 *
 *	none --who writes from outside--> asked --exchange--> none
 *
 * What is written over before it was taken is not done. A thread that dies
 * between the exchange and the deed strands the request: who asked sees the
 * word go to none and the profile stay as it was, and asks again. A value that
 * is none of the three is dropped.
 *
 * While a tracer reads, the profile is on; a CAS of the state comes before the
 * deed, and the others go on:
 *
 *	NONE --reader there, profile was off--> STARTED --gone--> NONE: off
 *	NONE --reader there, profile was on---> FOUND ----gone--> NONE: as it is
 *
 * Who starts it looks at the state again behind the deed, as the reader may
 * have gone while the thread slept. A program that stops the profile meanwhile
 * has stopped it, until the next reader comes. Where there is no memory for it,
 * it stays off for this reader. A thread that dies between CAS and deed leaves
 * the profile as it was, until the next change. A child of a fork has the state
 * and the semaphore of its parent: the tracer that counts those of the kernel
 * raises and lowers it in each process that it traces.
 *
 * In a vfork child or a handler the deed is what lanemalloc_profile_start() and
 * _stop() are there. In a sandbox (sandbox.h) nothing is done: the program did
 * not ask, and a filter may kill for what a start asks of the kernel.
 *
 * Wait-free, but for what starting the profile is.
 */
#ifndef LANE_OUTSIDE_H
#define LANE_OUTSIDE_H

#include "sample/probe.h"

enum tracer { TRACER_NONE, TRACER_STARTED, TRACER_FOUND };

/* atomic: hint; enum lanemalloc_switch */
extern _Atomic(uint32_t) outside_switch internal;
extern _Atomic(uint32_t)
	outside_tracer internal; /* atomic: hint; enum tracer */

/* reads: whether a tracer does. */
static force_inline bool outside_asks(bool reads)
{
	return unlikely(load_relaxed(&outside_switch)) ||	   // hint
	       unlikely(reads != !!load_relaxed(&outside_tracer)); // hint
}

void outside_serve(bool reads);

/* Does what is asked for: before an allocation in its slow path, so that it is
 * the first that the profile counts, and behind a free. */
static force_inline void outside_look(void)
{
	bool reads = probe_is_read();

	if (outside_asks(reads))
		outside_serve(reads);
}

#endif
