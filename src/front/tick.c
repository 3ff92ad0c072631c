/* layer 5.7: tick: timed work by whoever passes, and the helper's births */
#include "front/tick.h"

#include "front/relief.h"
#include "front/reclaimer.h"
#include "pageheap/budget.h"
#include "pageheap/page_heap.h"
#include "pageheap/request.h"
#include "slab/collect.h"
#include "system/config.h"
#include "system/system.h"

#define TICK_PURGE_SIZE ((size_t)4 << 20) /* bytes of one passer's piece */
#define TICK_PURGE_SHIFT 2 /* or a fourth of what is free and dirty */
#define TICK_COLLECT 8	   /* slabs of each list that one passer looks at */
#define RECLAIMER_GRACE 4  /* ticks that it may be late */

/* Whether the caller is the one that does the tick that is due. */
static inline bool tick_elect(void)
{
	uint64_t due = load_relaxed(&next_tick), now = system_now_ms();

	if (now < due)
		return false;
	return cas_relaxed(&next_tick, &due, now + config.purge_delay);
}

/* Does a passer's piece, which is bounded. */
static void tick_piece(void)
{
	quiet_age_ends();
	bin_collect_next(TICK_COLLECT, COLLECT_AGE_QUIET);
	page_heap_tick(max_size(TICK_PURGE_SIZE,
				budget_dirty_size() >> TICK_PURGE_SHIFT));
}

/* Leaves the next tick to the helper that was born, unless it is late. */
static void tick_leave_to_helper(void)
{
	uint64_t late = (1 + RECLAIMER_GRACE) * reclaimer_tick_ms();

	store_relaxed(&next_tick, system_now_ms() + late);
}

void tick_pass(void)
{
	pressure_pass();
	if (likely(!tick_elect()))
		return;
	if (!reclaimer_start()) {
		tick_leave_to_helper();
		return;
	}
	request_look();
	tick_piece();
}

void tick_ensure_helper(void)
{
	if (!reclaimer_ensure())
		tick_leave_to_helper();
}
