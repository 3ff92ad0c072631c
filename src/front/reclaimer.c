/* layer 5.6: reclaimer: the life of a helper; protocol in reclaimer.h */
#include "front/reclaimer.h"

#include <errno.h>

#include "cpucache/drain.h"
#include "cpucache/rseq.h"
#include "front/outside.h"
#include "front/pressure.h"
#include "pageheap/page_heap.h"
#include "pageheap/purge.h"
#include "slab/collect.h"
#include "system/config.h"
#include "system/helper.h"

#define QUIET_TICKS 4
#define TICKS_MOST 100
#define ASKED_MS 10 /* between a request and its purge */
#define TICK_MS_LEAST 10

_Atomic(uint64_t) next_tick;

uint64_t reclaimer_tick_ms(void)
{
	return max_size(config.purge_delay, TICK_MS_LEAST);
}

/* Registered when there is something to drain, by the first call. */
static struct rseq_area *own_area(struct helper_life *life)
{
	struct rseq_area *area = (void *)life->own;

	if (area->cpu_id == RSEQ_NEW_THREAD && rseq_register(area))
		area->cpu_id = RSEQ_REFUSED;
	return area->cpu_id < REGION_TABLE_WORDS ? area : NULL;
}

static struct rseq_area *own_area_of(void *life)
{
	return own_area(life);
}

/* The next is due again at once: who passes from now on is in no look of this
 * helper's for sure, and gives birth to another. A function by itself, so that
 * it is in the library once. */
__attribute__((noinline)) size_t reclaimer_tick(void)
{
	size_t done;

	store_relaxed(&next_tick, system_now_ms());
	quiet_age_ends();
	done = bin_collect_all(COLLECT_ALL, COLLECT_AGE_QUIET);
	return done + page_heap_tick(SIZE_MAX);
}

/* Lanes in use are left to their CPUs, but for somebody outside who asks for
 * something: then all are emptied, so that the next call misses (outside.h). */
static size_t reclaim(struct helper_life *life)
{
	size_t done = 0;

	if (drain_finds_any())
		done = drain_caches(own_area(life),
				    !outside_asks(probe_is_read()));
	return done + reclaimer_tick();
}

/* Not 0 if somebody asked. */
static size_t serve_asked(struct helper_life *life)
{
	uint32_t asked = HELPER_ASKED;

	if (!cas_relaxed(&life->word, &asked, HELPER_AWAKE)) // hint
		return 0;
	return 1 + purge_requested();
}

/* Gives need not ask again while it waits. */
static size_t serve(struct helper_life *life)
{
	helper_sleep(life, HELPER_ASKED, ASKED_MS);
	return serve_asked(life);
}

/* Sleeps until the next tick, but for requests; not 0 if there were some. */
static size_t sleep_a_tick(struct helper_life *life)
{
	uint64_t start = system_now_ms(), past = 0;
	size_t done = 0;
	uint32_t word;

	for (; past < reclaimer_tick_ms(); past = system_now_ms() - start) {
		if (helper_must_end(life))
			return done;
		word = load_relaxed(&life->word); // hint
		if (word == HELPER_ASKED)
			done += serve(life);
		else if (word != HELPER_LEAVE &&
			 cas_relaxed(&life->word, &word, HELPER_AWAKE)) // hint
			helper_sleep(
				life, HELPER_AWAKE,
				pressure_sleep_ms(reclaimer_tick_ms() - past));
		done += pressure_serve(own_area_of, life);
	}
	return done + serve_asked(life);
}

static void reclaimer_run(struct helper_life *life)
{
	struct rseq_area *area = (void *)life->own;
	unsigned quiet = 0, nr_ticks;
	size_t done;

	*area = (struct rseq_area){ .cpu_id = RSEQ_NEW_THREAD };
	helper_begin(life);
	for (nr_ticks = 0; pressure_is_watched() ||
			   (quiet < QUIET_TICKS && nr_ticks < TICKS_MOST);
	     nr_ticks++) {
		done = sleep_a_tick(life);
		if (helper_must_end(life))
			break;
		done += reclaim(life);
		quiet = done ? 0 : quiet + 1;
	}
	helper_end(life);
}

int reclaimer_start(void)
{
	if (!config.reclaimer)
		return -ENOTSUP;
	return helper_start(reclaimer_run, true, NULL);
}

int reclaimer_ensure(void)
{
	struct helper_life *life = helper_current();

	// hint: it may be about to end, when nobody passed for long
	if (config.reclaimer && life && load_relaxed(&life->thread.alive) &&
	    load_relaxed(&life->word) != HELPER_LEAVE) // hint
		return 0;
	return reclaimer_start();
}
