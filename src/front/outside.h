/* layer 5.5: outside: what a program outside the process asks for
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
 * between the exchange and the deed strands the request. Each asks for some
 * seconds and again before they are over, so both last until the next time.
 *
 * The profile has a bit for each of its users (sampler.h). The bit of those
 * outside follows a time, which is raised by whoever asks:
 *
 *	asked for n s		until = max(until, now + n), then settle
 *	asked for off		until = 0, then settle
 *	a sample is due		settle
 *	settle, twice		bit set && until is over: clear the bit
 *				bit clear && until is to come: set it
 *
 * So of any number that ask nobody ends what another wants, and one that is
 * killed leaves no profile on. Who settles may sleep between its look at the
 * time and its deed, and clear the bit behind another that has raised the time
 * since and found the bit set: hence twice. If it dies there, the next who asks
 * sets it again. Where there is no memory for the profile, it stays off.
 *
 * While a tracer reads, its bit is set; a CAS of the state comes before the
 * deed, and the others go on:
 *
 *	NONE --reader there--> READS --gone--> NONE
 *
 * Who makes the change settles the bit by the state, twice as well: the reader
 * may have gone while the thread slept before its start, or another have come
 * before its stop. Where there is no memory for it, it stays off for this
 * reader. A thread that dies between CAS and deed leaves the bit
 * as it was, until the next change. A child of a fork has time, state and
 * semaphore of its parent: the tracer that counts those of the kernel raises
 * and lowers it in each process that it traces.
 *
 * A program that stops the profile ends its own, and not what is asked for from
 * outside. In a vfork child or a handler the deed is what
 * lanemalloc_profile_start() and _stop() are there. In a sandbox (sandbox.h)
 * nothing is done: the program did not ask, and a filter may kill for what a
 * start asks of the kernel.
 *
 * Wait-free, but for what starting the profile is, and the raise of the time,
 * which is lock-free.
 */
#ifndef LANE_OUTSIDE_H
#define LANE_OUTSIDE_H

#include "sample/probe.h"

enum tracer { TRACER_NONE, TRACER_READS };

/* atomic: hint; enum lanemalloc_switch, and seconds */
extern _Atomic(uint32_t) outside_switch internal;
extern _Atomic(uint32_t)
	outside_tracer internal; /* atomic: hint; enum tracer */

/* reads: whether a tracer does. */
static force_inline bool outside_asks(bool reads)
{
	return unlikely(load_relaxed(&outside_switch)) ||
	       unlikely(reads != !!load_relaxed(&outside_tracer));
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

/* Before a sample, also one whose stack finds no room: ends the profile where
 * the time of those outside is over. */
void outside_sampled(void);

#endif
