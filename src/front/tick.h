/* layer 5.3: tick: timed work by whoever passes, and the helper's births
 *
 * One word holds the time of the next tick. Who passes after it moves it on
 * by a CAS and, having won, either gives birth to a helper that does the tick
 * one delay later (reclaimer.h), or does one bounded piece: nobody waits for
 * the winner, and a winner that dies is superseded at the next tick.
 *
 *	passer, elected		next = now + delay
 *	a helper is born	next = now + (1 + RECLAIMER_GRACE) delays: the
 *				slow paths step in when it is late
 *	the helper's tick	next = now
 */
#ifndef LANE_TICK_H
#define LANE_TICK_H

#include "base/compiler.h"

/* Does what is due, at the end of every slow path but a push into a remote
 * lane. */
void tick_pass(void);

/* Does a tick without a bound, the helper's. Returns the bytes that it gave
 * back or the objects that it moved: 0 when there was nothing to do. */
size_t tick_whole(void);

/* Gives birth to a helper where none lives and one may. */
void tick_ensure_helper(void);

#endif
