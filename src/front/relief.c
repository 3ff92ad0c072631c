/* layer 5.3: relief: all memory that can go goes back; contract in relief.h */
#include "front/relief.h"

#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "front/gate.h"
#include "front/quarantine.h"
#include "front/retire.h"
#include "pageheap/page_heap.h"
#include "pageheap/request.h"
#include "slab/collect.h"
#include "system/system.h"

#define PASS_MS 100

_Atomic(uint32_t) pressure_waits;
static _Atomic(uint64_t) next_pass; /* atomic: hint, ms */

/* Makes units free of what lies in caches and slabs. With the caller's area;
 * NULL: it has none, and what CPUs hold stays. */
static size_t slabs_relieve(struct rseq_area *self)
{
	size_t done = 0;

	if (gate_is_open())
		done = drain_caches(self, false);
	return done + bin_collect_all(COLLECT_ALL, COLLECT_AGE_ANY);
}

size_t relieve(struct rseq_area *self)
{
	size_t done = slabs_relieve(self);

	return done + page_heap_relieve();
}

/* A program's thread also has what its own CPU holds, where no drain is. */
static void flush_here(void)
{
	if (gate_is_open())
		cpu_cache_flush_own();
}

/* And what waits in the quarantine. */
static void relieve_here(void)
{
	heap_quarantine_flush();
	flush_here();
	relieve(rseq_self());
}

size_t heap_purge(size_t keep_size)
{
	uint64_t before;

	flush_here();
	before = collect_purged_size();
	slabs_relieve(rseq_self());
	return (size_t)(collect_purged_size() - before) +
	       page_heap_purge(keep_size, SIZE_MAX);
}

static bool pass_elect(void)
{
	uint64_t due = load_relaxed(&next_pass), now = system_now_ms();

	return now >= due && cas_relaxed(&next_pass, &due, now + PASS_MS);
}

void pressure_pass_asked(void)
{
	bool asked = limit_is_asked();
	bool waits = asked ? quarantine_may_hold() :
			     load_relaxed(&pressure_waits);
	bool elected = waits && pass_elect();

	if (elected) {
		store_relaxed(&pressure_waits, 0);
		heap_quarantine_flush();
	}
	if (!asked || request_purge() || (!elected && !pass_elect()) ||
	    !limit_take_asked())
		return;
	relieve_here();
}

void pressure_now(enum limit_reason reason)
{
	limit_ask(reason);
	if (limit_take_asked())
		relieve_here();
}
