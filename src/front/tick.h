/* layer 5.3: tick: timed work, done by whoever passes on a slow path
 *
 * One word holds the time of the next tick. Who passes after it moves it on
 * by a CAS and, having won, does one bounded piece: nobody waits for the
 * winner, and a winner that dies is superseded at the next tick. While a
 * reclaimer thread lives it does the ticks, and the slow paths only step in
 * when it is late; then they also tell the page heap to ask it no more.
 */
#ifndef LANE_TICK_H
#define LANE_TICK_H

#include "base/compiler.h"

/* Called at the end of every slow path but a push into a home lane. */
void tick_pass(void);

/* The reclaimer's tick: unbounded. Returns the bytes that it gave back or the
 * objects that it moved: 0 when there was nothing to do. */
size_t tick_whole(void);

/* A reclaimer lives (it calls tick_whole()), or no longer does. */
void tick_set_reclaimer(bool lives);

#endif
