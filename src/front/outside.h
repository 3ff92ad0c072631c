/* layer 5.2: outside: what a program outside the process asks for
 *
 * One word, written by process_vm_writev() or a debugger (lanemalloc_view.h):
 * the profile on, the profile off. Slow paths look at it where they tick
 * (tick.h); of those that see it one takes it, by an exchange, and does it. So
 * it is done at the next miss of any thread, and never in a process that makes
 * none. The helper's ticks empty the caches while something is asked for, so
 * that there is a miss as soon as anybody allocates.
 *
 *	none --who writes from outside--> asked --exchange--> none
 *
 * What is written over before it was taken is not done. A thread that dies
 * between the exchange and the deed strands the request: who asked sees the
 * word go to none and the profile stay as it was, and asks again. In a vfork
 * child or a handler the deed is what lanemalloc_profile_start() and _stop()
 * are there. In a sandbox (sandbox.h) it is not done: the program did not ask,
 * and a filter may kill for it. A value that is none of the three is dropped.
 *
 * Wait-free, but for what starting the profile is.
 */
#ifndef LANE_OUTSIDE_H
#define LANE_OUTSIDE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* atomic: enum lanemalloc_switch */
extern _Atomic(uint32_t) outside_switch internal;

static force_inline bool outside_asks(void)
{
	return unlikely(load_relaxed(&outside_switch)); // hint
}

void outside_serve(void);

/* At the end of a slow path, beside tick_pass(). */
static force_inline void outside_look(void)
{
	if (outside_asks())
		outside_serve();
}

#endif
