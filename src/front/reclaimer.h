/* layer 5.6: reclaimer: memory comes back while the program sleeps
 *
 * A helper thread (system/helper.h) does the ticks for the program's threads,
 * in short lives:
 *
 *	birth	a passer that finds a tick due (front/tick), in a process that
 *		has, or had, threads; the creation of a thread
 *	life	sleeps one purge_delay, serving requests (pageheap/request.h),
 *		then drains idle CPUs' caches (cpucache/drain.h) and does the
 *		tick: collects, purges
 *	end	a successor was born: the next passer after a tick gives birth
 *		at once, so that in a busy program a helper lives for one tick
 *		and the next has the rights of a thread that runs now;
 *		or QUIET_TICKS ticks found nothing to do and nobody passed: all
 *		that can go back has gone, and the process has its own threads
 *		alone until a slow path passes; while something is watched
 *		(pressure.h) one stays
 *
 * No pass is forgotten: a pass before a tick is in what the ticks after it
 * look at, of which there are QUIET_TICKS; one after it finds the next tick
 * due and gives birth. Where it cannot (both lives are taken, the kernel gives
 * no thread) the passer ticks itself, and asks whoever lives to look once more.
 *
 * Gives that exceed the budget ask the helper. It then lets ASKED_MS pass, so
 * that what the program takes again at once is not purged, and purges what is
 * beyond the budget. Whatever it finds in its word before a sleep, it sleeps
 * only on what it has stored itself.
 *
 * A helper that vanishes leaves what any thread does (a batch, a hugepage's
 * units); the next passer's birth replaces it, RECLAIMER_GRACE ticks later.
 */
#ifndef LANE_RECLAIMER_H
#define LANE_RECLAIMER_H

#include "base/atomic.h"
#include "base/compiler.h"

/* When the next tick of a passer is due (tick.h). A helper's sets it to now, at
 * its beginning. */
extern _Atomic(uint64_t) next_tick internal; /* atomic: hint, ms */

/* Does a tick without a bound, the helper's. Returns the slabs that it closed
 * and the bytes that it gave back, added up: 0 when there was nothing to do. */
size_t reclaimer_tick(void);

/* Returns the milliseconds between two ticks of a helper. */
uint64_t reclaimer_tick_ms(void);

/* Starts a helper, and tells one that lives to leave; 0, or a negated
 * errno: -ENOTSUP where the option is off, -EPERM where the process
 * had no threads, or is in a sandbox, or shares another one's memory. */
int reclaimer_start(void);

/* Starts a helper as reclaimer_start() does, where none lives. */
int reclaimer_ensure(void);

#endif
