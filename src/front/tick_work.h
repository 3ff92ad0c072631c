/* layer 5.3: tick work: when a tick is due, and what it does
 *
 * One word holds the time of the next tick. Who passes after it moves it on by
 * a CAS, and has the tick to do: nobody waits for the winner, and one that dies
 * is superseded at the next tick. A helper's tick is not elected; it sets the
 * word to now. Wait-free, but for what collecting and purging are.
 */
#ifndef LANE_TICK_WORK_H
#define LANE_TICK_WORK_H

#include "base/atomic.h"
#include "system/config.h"
#include "system/system.h"

extern _Atomic(uint64_t) next_tick internal; /* atomic: hint, ms */

/* Whether the caller is the one that does the tick that is due. */
static inline bool tick_elect(void)
{
	uint64_t due = load_relaxed(&next_tick), now = system_now_ms();

	if (now < due)
		return false;
	return cas_relaxed(&next_tick, &due, now + config.purge_delay);
}

/* Puts it off by so many milliseconds. */
static inline void tick_put_off(uint64_t late)
{
	store_relaxed(&next_tick, system_now_ms() + late);
}

/* Does a bounded piece, a passer's. */
void tick_piece(void);

/* Does a tick without a bound, the helper's. Returns the bytes that it gave
 * back or the objects that it moved: 0 when there was nothing to do. */
size_t tick_whole(void);

#endif
