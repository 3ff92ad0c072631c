/* layer 5.7: tick: timed work by whoever passes, and the helper's births
 *
 * One word holds the time of the next tick. Who passes after it moves it on by
 * a CAS, and has the tick to do: nobody waits for the winner, and one that dies
 * is superseded at the next tick. The winner either gives birth to a helper
 * that does the tick one delay later (reclaimer.h), or does one bounded piece.
 * A helper's tick is not elected.
 *
 *	passer, elected		next = now + delay
 *	a helper is born	next = now + (1 + RECLAIMER_GRACE) delays: the
 *				slow paths step in when it is late
 *	the helper's tick	next = now
 *
 * Wait-free, but for what births, collecting and purging are.
 */
#ifndef LANE_TICK_H
#define LANE_TICK_H

#include "cpucache/cpu_cache.h"
#include "front/outside.h"

/* Does what is due, at the end of every slow path but a push into a remote
 * lane. */
void tick_pass(void);

/* What each slow path ends with that gives memory back, or keeps it. */
static force_inline void tick_end(void)
{
	tick_pass();
	outside_look();
}

/* A free ends with: by a lane no time has passed to speak of. */
static force_inline void tick_end_free(enum remote_free where)
{
	if (where != REMOTE_LANE)
		tick_end();
}

/* Gives birth to a helper where none lives and one may. */
void tick_ensure_helper(void);

#endif
