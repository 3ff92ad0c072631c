/* What the tests of the page heap share: heaps of chosen sizes, one after the
 * other in one process. The files with static state are compiled in, so
 * that a test can set it back. */
#ifndef LANE_PAGE_HEAP_FIXTURE_H
#define LANE_PAGE_HEAP_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "../stress/harness/random.h"
#include "cases.h"
#include "fake_system.h"
#include "threads.h"
#include "pageheap/page_heap.c"
#include "pageheap/region.c"
#include "pageheap/region_grow.c"
#include "pageheap/regions.c"
#include "system/place.c"

#include "page_heap_check.h"
#include "system/config.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* The bound that the anchor was told of; it must be usable when it is told. */
static _Atomic(uint32_t) told_committed;

void anchor_commit(uint32_t nr_units)
{
	uint32_t old = load_relaxed(&told_committed); // hint

	assert_true(nr_units <=
		    load_relaxed(&regions[0].nr_committed)); // hint
	while (old < nr_units && !cas_relaxed(&told_committed, &old, nr_units))
		; // hint
}

/* All of a region, what was never mapped of it included. */
static inline void heap_unmap(const struct region *region)
{
	struct region laid = { 0 };
	char *end = region_lay_out(&laid, region->head,
				   load_relaxed(&region->nr_units)); // const

	system_unmap(region->base, region_size(region));
	system_unmap(region->head, (size_t)(end - region->head));
}

static inline void heap_forget(void)
{
	for (unsigned i = 0; i < NR_REGIONS_MOST; i++) {
		if (region_is_ready(&regions[i]))
			heap_unmap(&regions[i]);
	}
	memset(regions, 0, sizeof(regions));
	memset(&budget, 0, sizeof(budget));
	memset(preferred, 0, sizeof(preferred));
	store_relaxed(&first_region, 0);   // before publish
	store_relaxed(&told_committed, 0); // before publish
	memset(next_place, 0, sizeof(next_place));
	region_size_usual = REGION_SIZE_USUAL;
	config_parse(&config, "");
	fake_reset();
}

/* A heap whose regions have so few addresses; 0: as always. */
static inline void heap_small(size_t size)
{
	heap_forget();
	fake.memory_size = MIB;
	region_size_usual = size ? size : REGION_SIZE_USUAL;
	assert_true(region_start());
}

/* A heap in a process that may hold limit bytes of address space; 0: any. */
static inline void heap_fresh(size_t limit)
{
	heap_forget();
	fake.address_limit = limit;
	assert_true(region_start());
}

/* Nothing is purged but what is beyond the budget, or when asked. */
#define KEEP_ALL ((size_t)1 << 50)
static inline void heap_keeping(size_t budget_wanted)
{
	heap_fresh(0);
	config.purge_budget = budget_wanted;
}

/* A heap whose units are all free, as far as the level words tell; there is
 * no memory behind. */
static inline void heap_claims_only(void)
{
	uint32_t nr_units;

	heap_fresh(0);
	nr_units = load_relaxed(&regions[0].nr_units);     // const
	store_relaxed(&regions[0].nr_taken, nr_units);  // own
	store_relaxed(&regions[0].nr_mapped, nr_units); // own
	level_release_units(&regions[0], 0, nr_units);
}

static inline uint64_t heap_random(void)
{
	static _Thread_local uint64_t random;

	return random_next(&random);
}

/* The structure is sound, and as much is claimed as the counter says. */
static inline void heap_check(void)
{
	struct page_heap_count count;

	page_heap_check();
	page_heap_count(&count);
	assert_true(count.nr_data - count.nr_free ==
		    budget_claimed_size() >> UNIT_SHIFT);
	assert_true(count.nr_dirty == budget_dirty_size() >> UNIT_SHIFT);
	assert_int_equal(count.nr_unfiled, 0);
	assert_int_equal(count.nr_stale, 0);
	assert_int_equal(count.nr_unhinted, 0);
}

/* And nothing is claimed. */
static inline void heap_is_empty(void)
{
	heap_check();
	assert_int_equal(budget_claimed_size(), 0);
}

static inline void heap_give(const struct run *run)
{
	page_heap_give(run->region, run->unit, run->nr_units);
}

/* A heap that keeps all, and a run of so many units that is free in it. */
static inline struct run heap_freed(size_t n)
{
	struct run run;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(n, 1, 0, &run));
	heap_give(&run);
	return run;
}

/* So many runs of one unit; and every step-th of them back. */
static inline void heap_take_each(struct run *runs, unsigned n)
{
	while (n--)
		assert_true(page_heap_take(1, 1, 0, runs++));
}

static inline void heap_give_each(const struct run *runs, unsigned first,
				  unsigned end, unsigned step)
{
	for (; first < end; first += step)
		heap_give(&runs[first]);
}

static inline bool is_zero(const char *addr, size_t size)
{
	return !size || (!addr[0] && !memcmp(addr, addr + 1, size - 1));
}

static inline char *heap_addr(const struct run *run)
{
	return region_addr(run->region, run->unit);
}

static inline size_t heap_size(const struct run *run)
{
	return (size_t)run->nr_units << UNIT_SHIFT;
}

static inline void is_aligned(const struct run *run, size_t align_units)
{
	assert_int_equal((size_t)heap_addr(run) % (align_units * UNIT_SIZE), 0);
	assert_true(run->unit + run->nr_units <=
		    load_relaxed(&run->region->nr_units)); // const
}

#endif
