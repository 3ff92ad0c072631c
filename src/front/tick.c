/* layer 5.3: tick: timed work by whoever passes, and the helper's births */
#include "front/tick.h"

#include "base/atomic.h"
#include "front/pressure.h"
#include "front/reclaimer.h"
#include "pageheap/budget.h"
#include "pageheap/page_heap.h"
#include "pageheap/request.h"
#include "slab/bin.h"
#include "system/config.h"
#include "system/system.h"

#define TICK_PURGE_SIZE ((size_t)4 << 20) /* bytes of one passer's piece */
#define TICK_PURGE_SHIFT 2 /* or a fourth of what is free and dirty */
#define TICK_COLLECT 8	   /* slabs of each list that one passer looks at */
#define RECLAIMER_GRACE 4  /* ticks that it may be late */

static _Atomic(uint64_t) next_tick; /* atomic: hint, ms */

/* Whether the caller is the one that does the tick that is due. */
static bool tick_elect(void)
{
	uint64_t due = load_relaxed(&next_tick), now = system_now_ms(); // hint

	if (now < due)
		return false;
	return cas_relaxed(&next_tick, &due, now + config.purge_delay); // hint
}

/* Leaves the next tick to the helper that was born, unless it is late. */
static void tick_leave_to_helper(void)
{
	uint64_t late = (1 + RECLAIMER_GRACE) * reclaimer_tick_ms();

	store_relaxed(&next_tick, system_now_ms() + late); // hint
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
	quiet_age_ends();
	bin_collect_next(TICK_COLLECT, COLLECT_AGE_QUIET);
	page_heap_tick(max_size(TICK_PURGE_SIZE,
				budget_dirty_size() >> TICK_PURGE_SHIFT));
}

void tick_ensure_helper(void)
{
	if (!reclaimer_ensure())
		tick_leave_to_helper();
}

/* The next is due again at once: who passes from now on is in no look of this
 * helper's for sure, and gives birth to another. */
size_t tick_whole(void)
{
	size_t done;

	store_relaxed(&next_tick, system_now_ms()); // hint
	quiet_age_ends();
	done = bin_collect_all(COLLECT_ALL, COLLECT_AGE_QUIET);
	return done + page_heap_tick(SIZE_MAX);
}
