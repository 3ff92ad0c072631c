/* layer 5.4: tick: timed work by whoever passes, and the helper's births
 *
 * Who passes when a tick is due (tick_work.h), and won its election, either
 * gives birth to a helper that does the tick one delay later (reclaimer.h), or
 * does one bounded piece.
 *
 *	passer, elected		next = now + delay
 *	a helper is born	next = now + (1 + RECLAIMER_GRACE) delays: the
 *				slow paths step in when it is late
 *	the helper's tick	next = now
 */
#ifndef LANE_TICK_H
#define LANE_TICK_H

/* Does what is due, at the end of every slow path but a push into a remote
 * lane. */
void tick_pass(void);

/* Gives birth to a helper where none lives and one may. */
void tick_ensure_helper(void);

#endif
