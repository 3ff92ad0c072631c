/* pageheap/limit.h, budget.h: nothing is taken beyond the hard limit, and
 * beyond the soft one nothing is kept */
#include "page_heap_fixture.h"

#include "pageheap/limit.h"

/* Another thread's take, just before this one's CAS. */
static unsigned nr_overtakes;
static void overtake(void);

#undef cas_relaxed
#define cas_relaxed(p, expected, v)                                  \
	(overtake(), cas_order(p, expected, v, memory_order_relaxed, \
			       memory_order_relaxed))
#include "pageheap/account.c"
#include "pageheap/budget.c"

static void overtake(void)
{
	if (nr_overtakes) {
		nr_overtakes--;
		add_relaxed(&budget.units, 1); // counter
	}
}

#define NR_RUNS 4096
#define NR_THREADS 4
#define NR_STEPS 20000

static struct run runs[NR_RUNS];

static void limits_set(size_t soft_units, size_t hard_units)
{
	memset(&limit, 0, sizeof(limit));
	store_relaxed(&limit.soft_size, soft_units * LIMIT_UNIT_SIZE); // own
	store_relaxed(&limit.hard_size, hard_units * LIMIT_UNIT_SIZE); // own
}

static void heap_limited(size_t soft_units, size_t hard_units)
{
	heap_fresh(0);
	limits_set(soft_units, hard_units);
}

static size_t nr_resident(void)
{
	return budget_resident_size() >> UNIT_SHIFT;
}

static unsigned take_until_none(uint32_t n)
{
	unsigned i = 0;

	while (i < NR_RUNS && page_heap_take(n, 1, 0, &runs[i]))
		i++;
	return i;
}

static void give_all(unsigned n)
{
	while (n)
		heap_give(&runs[--n]);
}

/* A unit counts with its metadata, and the smallest limit is one. */
TEST(sizes_and_units)
{
	assert_int_equal(limit_units(0), LIMIT_NO_UNITS);
	assert_int_equal(limit_units(1), 1);
	assert_int_equal(limit_units(2 * LIMIT_UNIT_SIZE - 1), 1);
	assert_int_equal(limit_units(2 * LIMIT_UNIT_SIZE), 2);
	assert_int_equal(limit_units(UINT64_MAX), LIMIT_NO_UNITS - 1);
	assert_true(LIMIT_UNIT_SIZE > UNIT_SIZE &&
		    LIMIT_UNIT_SIZE < UNIT_SIZE + UNIT_SIZE / 64);
}

TEST(exactly_as_much)
{
	struct run run;

	heap_limited(0, 100);
	assert_int_equal(take_until_none(1), 100);
	assert_true(load_relaxed(&limit.nr_hits) > 0); // own
	heap_give(&runs[99]);
	assert_true(page_heap_take(1, 1, 0, &runs[99]));
	assert_false(page_heap_take(1, 1, 0, &run));
	give_all(100);
	assert_true(page_heap_take(100, 1, 0, &run));
	heap_give(&run);
	assert_false(page_heap_take(101, 1, 0, &run));
	heap_check();
}

/* The last unit goes to another thread; the one before it is not lost. */
TEST(overtaken_by_another_take)
{
	struct run run;

	heap_limited(0, 10);
	assert_true(page_heap_take(8, 1, 0, &runs[0]));
	nr_overtakes = 1;
	assert_true(page_heap_take(1, 1, 0, &runs[1]));
	assert_int_equal(nr_resident(), 10);
	heap_give(&runs[1]);
	page_heap_purge(0, SIZE_MAX);
	nr_overtakes = 1;
	assert_false(page_heap_take(1, 1, 0, &run));
	assert_int_equal(nr_resident(), 10);
	sub_relaxed(&budget.units, 2); // counter
	heap_give(&runs[0]);
	heap_check();
}

/* What is free and dirty makes way, wherever it lies. */
TEST(free_memory_makes_way)
{
	unsigned n;
	struct run run;

	heap_limited(0, 128);
	config.purge_budget = GIB;
	n = take_until_none(1);
	heap_give_each(runs, 0, n, 2);
	assert_int_equal(page_heap_dirty_size(), 64 * UNIT_SIZE);
	assert_true(page_heap_take(60, 1, 0, &run));
	assert_true(nr_resident() <= 128);
	heap_give(&run);
	heap_give_each(runs, 1, n, 2);
	heap_check();
}

/* A purger has no more than a hugepage in hand where others may need it. */
TEST(purged_piece_by_piece_near_the_limit)
{
	struct run run;

	heap_limited(0, 1100);
	config.purge_budget = GIB;
	assert_true(page_heap_take(1024, 1, 0, &run));
	heap_give(&run);
	page_heap_purge(0, SIZE_MAX);
	assert_true(fake_nr_purged() > 0);
	for (unsigned i = 0; i < fake_nr_purged(); i++)
		assert_true(fake_purged(i).size <= HUGEPAGE_SIZE);
	limits_set(0, 1 << 20);
	assert_true(page_heap_take(1024, 1, 0, &run));
	heap_give(&run);
	page_heap_purge(0, SIZE_MAX);
	assert_true(fake_purged(fake_nr_purged() - 1).size == 1024 * UNIT_SIZE);
	heap_check();
}

TEST(growth_in_place)
{
	struct run run;

	heap_limited(0, 40);
	assert_true(page_heap_take(30, 1, 0, &run));
	assert_false(page_heap_try_extend(run.region, run.unit, 30, 11));
	assert_true(page_heap_try_extend(run.region, run.unit, 30, 10));
	run.nr_units = 40;
	heap_give(&run);
	heap_check();
}

/* Below what is in use: no growth, but what is resident goes round. */
TEST(lowered_below_what_is_used)
{
	struct run run;

	heap_fresh(0);
	limits_set(0, 0);
	config.purge_budget = GIB;
	assert_true(page_heap_take(50, 1, 0, &runs[0]));
	assert_true(page_heap_take(50, 1, 0, &runs[1]));
	limits_set(0, 20);
	heap_give(&runs[1]);
	assert_true(page_heap_take(50, 1, 0, &runs[1]));
	assert_false(page_heap_take(1, 1, 0, &run));
	heap_give(&runs[0]);
	heap_give(&runs[1]);
	page_heap_purge(0, SIZE_MAX);
	assert_true(page_heap_take(20, 1, 0, &run));
	assert_false(page_heap_take(1, 1, 0, &runs[0]));
	heap_give(&run);
	heap_check();
}

/* What a purge cannot have counts on. */
TEST(locked_memory_counts)
{
	struct run run;

	heap_limited(0, 64);
	config.purge_budget = GIB;
	assert_true(page_heap_take(32, 1, 0, &runs[0]));
	assert_true(page_heap_take(20, 1, 0, &runs[1]));
	fake.locked = heap_addr(&runs[0]);
	fake.locked_size = heap_size(&runs[0]);
	heap_give(&runs[0]);
	assert_false(page_heap_take(40, 1, 0, &run));
	assert_true(page_heap_take(32, 1, 0, &run));
	assert_true(nr_resident() <= 64);
	heap_give(&run);
	heap_give(&runs[1]);
	fake.locked = NULL;
	heap_check();
}

TEST(beyond_the_soft_limit_nothing_is_kept)
{
	heap_limited(1000, 0);
	config.purge_budget = GIB;
	assert_true(page_heap_take(900, 1, 0, &runs[0]));
	assert_int_equal(budget_size(), 100 * UNIT_SIZE);
	assert_false(limit_is_asked());
	assert_true(page_heap_take(200, 1, 0, &runs[1]));
	assert_int_equal(budget_size(), MIB);
	assert_int_equal(limit_take_asked(), LIMIT_SOFT);
	assert_int_equal(limit_take_asked(), LIMIT_NONE);
	heap_give(&runs[1]);
	assert_true(nr_resident() <= 1000);
	heap_give(&runs[0]);
	assert_true(nr_resident() <= 1000);
	heap_check();
}

/* It asks when it is passed, and not again before it was below. */
TEST(the_soft_limit_asks_once)
{
	heap_limited(100, 0);
	assert_true(page_heap_take(101, 1, 0, &runs[0]));
	assert_int_equal(limit_take_asked(), LIMIT_SOFT);
	assert_true(page_heap_take(50, 1, 0, &runs[1]));
	assert_false(limit_is_asked());
	heap_give(&runs[0]);
	heap_give(&runs[1]);
	page_heap_purge(0, SIZE_MAX);
	assert_true(page_heap_take(101, 1, 0, &runs[0]));
	assert_int_equal(limit_take_asked(), LIMIT_SOFT);
	heap_give(&runs[0]);
}

TEST(the_smaller_soft_limit_counts)
{
	heap_limited(100, 0);
	store_relaxed(&limit.cgroup_size, 50 * LIMIT_UNIT_SIZE); // own
	assert_int_equal(limit_soft_units(), 50);
	store_relaxed(&limit.cgroup_size, 200 * LIMIT_UNIT_SIZE); // own
	assert_int_equal(limit_soft_units(), 100);
	store_relaxed(&limit.soft_size, 0); // own
	assert_int_equal(limit_soft_units(), 200);
}

TEST(relief_forgets_what_was_learnt)
{
	heap_limited(0, 0);
	config.purge_budget = GIB;
	assert_true(page_heap_take(100, 1, 0, &runs[0]));
	heap_give(&runs[0]);
	store_relaxed(&budget.bonus_size, GIB); // own
	assert_int_equal(page_heap_relieve(), 100 * UNIT_SIZE);
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(load_relaxed(&budget.bonus_size), 0); // own
}

/* Threads that take and give; one looks on. */
static _Atomic(uint32_t) nr_done;

static void *storm(void *arg)
{
	struct run held[64];
	unsigned n = 0, i, k;
	uint64_t random = (uintptr_t)arg + 1;

	for (i = 0; i < NR_STEPS; i++) {
		k = (unsigned)(random_next(&random) % 64);
		if (n < 64 && k < 40) {
			n += page_heap_take(1 + k % 9, 1, (unsigned)random % 4,
					    &held[n]);
		} else if (n) {
			heap_give(&held[--n]);
		}
	}
	while (n)
		heap_give(&held[--n]);
	add_relaxed(&nr_done, 1); // counter
	return NULL;
}

TEST(never_passed_by_threads)
{
	pthread_t threads[NR_THREADS];
	size_t most = 0;

	heap_limited(0, 150);
	store_relaxed(&nr_done, 0); // own
	threads_start(threads, NR_THREADS, storm);
	while (load_relaxed(&nr_done) < NR_THREADS) // counter
		most = max_size(most, nr_resident());
	threads_join(threads, NR_THREADS);
	assert_true(most <= 150);
	assert_true(load_relaxed(&limit.nr_hits) > 0); // own
	heap_check();
	assert_true(page_heap_take(150, 1, 0, &runs[0]));
	heap_give(&runs[0]);
}

TEST_MAIN(NULL, NULL)
