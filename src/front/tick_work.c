/* layer 5.3: tick work: when a tick is due, and what it does */
#include "front/tick_work.h"

#include "pageheap/budget.h"
#include "pageheap/page_heap.h"
#include "slab/bin.h"

#define TICK_PURGE_SIZE ((size_t)4 << 20) /* bytes of one passer's piece */
#define TICK_PURGE_SHIFT 2 /* or a fourth of what is free and dirty */
#define TICK_COLLECT 8	   /* slabs of each list that one passer looks at */

_Atomic(uint64_t) next_tick;

void tick_piece(void)
{
	quiet_age_ends();
	bin_collect_next(TICK_COLLECT, COLLECT_AGE_QUIET);
	page_heap_tick(max_size(TICK_PURGE_SIZE,
				budget_dirty_size() >> TICK_PURGE_SHIFT));
}

/* The next is due again at once: who passes from now on is in no look of this
 * helper's for sure, and gives birth to another. */
size_t tick_whole(void)
{
	size_t done;

	store_relaxed(&next_tick, system_now_ms());
	quiet_age_ends();
	done = bin_collect_all(COLLECT_ALL, COLLECT_AGE_QUIET);
	return done + page_heap_tick(SIZE_MAX);
}
