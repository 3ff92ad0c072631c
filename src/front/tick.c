/* layer 5.3: tick: timed work, done by whoever passes on a slow path */
#include "front/tick.h"

#include "base/atomic.h"
#include "pageheap/page_heap.h"
#include "pageheap/request.h"
#include "slab/bin.h"
#include "system/config.h"
#include "system/system.h"

#define TICK_PURGE_SIZE ((size_t)4 << 20) /* bytes of one passer's piece */
#define TICK_COLLECT 8			  /* slabs of each list, likewise */
#define RECLAIMER_GRACE 4		  /* ticks that it may be late */

static _Atomic(uint64_t) next_tick;	 /* atomic: ms */
static _Atomic(uint32_t) reclaimer_lives; /* atomic: hint */

/* Whether the caller is the one that does the tick that is due. */
static bool tick_elect(uint64_t grace)
{
	uint64_t due = load_relaxed(&next_tick), now = system_now_ms(); // hint

	if (now < due + grace)
		return false;
	return cas_relaxed(&next_tick, &due, now + config.purge_delay); // hint
}

void tick_pass(void)
{
	uint64_t grace = 0;

	if (load_relaxed(&reclaimer_lives)) // hint
		grace = RECLAIMER_GRACE * config.purge_delay + 1;
	if (likely(!tick_elect(grace)))
		return;
	if (grace)
		request_nobody();
	bin_grow_older();
	bin_collect_next(TICK_COLLECT, COLLECT_AGE_QUIET);
	page_heap_tick(TICK_PURGE_SIZE);
}

size_t tick_whole(void)
{
	size_t done;

	store_relaxed(&next_tick, system_now_ms() + config.purge_delay); // hint
	bin_grow_older();
	done = bin_collect_all((unsigned)-1 >> 1, COLLECT_AGE_QUIET);
	return done + page_heap_tick(SIZE_MAX);
}

void tick_set_reclaimer(bool lives)
{
	store_relaxed(&reclaimer_lives, lives); // hint
}
