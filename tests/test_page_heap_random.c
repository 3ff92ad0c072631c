/* Random take, give, extend and tick against a map of who holds what, in one
 * thread and in several */
#include "page_heap_fixture.h"

#define NR_RUNS 400
#define NR_THREADS 4

/* Who holds a unit: run number + 1. One map a region, of its first units. */
#define SHADOW_UNITS 262144
static _Atomic(uint32_t) shadow[NR_REGIONS_MOST][SHADOW_UNITS];

static _Atomic(uint32_t) *shadow_of(const struct run *run, uint32_t unit)
{
	size_t index = (size_t)(run->region - regions);
	uint32_t at = unit;

	assert_true(at < SHADOW_UNITS);
	return &shadow[index][at];
}

static void shadow_change(const struct run *run, uint32_t unit, uint32_t n,
			  uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(take_relaxed(shadow_of(run, unit + i), to),
				 from); // own
}

static void shadow_take(const struct run *run, uint32_t number)
{
	shadow_change(run, run->unit, run->nr_units, 0, number);
}

static void shadow_give(const struct run *run, uint32_t number)
{
	shadow_change(run, run->unit, run->nr_units, number, 0);
}

/* How many runs a thread holds at most; const while threads run. */
static unsigned nr_runs = NR_RUNS, thread_shift, nr_steps, nr_steps_a_tick;

static size_t random_size(unsigned most_shift)
{
	size_t size = heap_random() % ((size_t)2 << heap_random() % most_shift);

	return size + 1;
}

static void random_step(struct run *runs, uint32_t base, unsigned most_shift)
{
	unsigned i = heap_random() % nr_runs;
	struct run *run = &runs[i];
	size_t size = random_size(most_shift), align = 1;
	uint32_t number = base + i + 1, more;

	if (heap_random() % 4 == 0)
		align = (size_t)1 << heap_random() % 9;
	if (run->nr_units && heap_random() % 8 == 0) {
		more = (uint32_t)random_size(6);
		if (!page_heap_try_extend(run->region, run->unit, run->nr_units,
					  more))
			return;
		shadow_change(run, run->unit + run->nr_units, more, 0, number);
		run->nr_units += more;
		return;
	}
	if (run->nr_units) {
		shadow_give(run, number);
		heap_give(run);
		run->nr_units = 0;
		return;
	}
	if (!page_heap_take(size, align, heap_random() % 4, run)) {
		run->nr_units = 0;
		return;
	}
	assert_int_equal(run->nr_units, size);
	is_aligned(run, align);
	shadow_take(run, number);
	if (run->zero)
		assert_int_equal(*heap_addr(run), 0);
	*heap_addr(run) = 1;
}

static void random_end(struct run *runs, uint32_t base)
{
	for (unsigned i = 0; i < NR_RUNS; i++) {
		if (!runs[i].nr_units)
			continue;
		shadow_give(&runs[i], base + i + 1);
		heap_give(&runs[i]);
		runs[i].nr_units = 0;
	}
}

TEST(random_work)
{
	static struct run runs[NR_RUNS];
	static const size_t limits[] = { 0, 64 * MIB, 400 * MIB };

	for (unsigned round = 0; round < 3; round++) {
		heap_fresh(limits[round]);
		config.purge_budget = 8 * MIB;
		for (unsigned i = 0; i < 20000; i++) {
			random_step(runs, 0, round ? 7 : 8);
			if (i % 500 == 0)
				heap_check();
			if (i % 700 == 0)
				page_heap_tick(SIZE_MAX);
		}
		random_end(runs, 0);
		heap_is_empty();
	}
}

static struct run thread_runs[NR_THREADS][NR_RUNS];

static void *random_thread(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;

	for (unsigned i = 0; i < 30000 + number; i++)
		heap_random();
	for (unsigned i = 0; i < nr_steps; i++) {
		random_step(thread_runs[number], number * NR_RUNS,
			    thread_shift);
		if (i % nr_steps_a_tick == 0)
			page_heap_tick(SIZE_MAX);
	}
	random_end(thread_runs[number], number * NR_RUNS);
	return NULL;
}

/* Words, levels and dirty bits agree after any mixture; a hint may be off by
 * what two threads filed at once, so those are not compared here. */
TEST(threads_work)
{
	/* The last two crowd into one hugepage, which opens and closes. */
	static const struct {
		size_t limit;
		unsigned nr_runs, shift, nr_steps, nr_steps_a_tick;
	} modes[] = {
		{ 0, NR_RUNS, 6, 50000, 1000 },
		{ 64 * MIB, NR_RUNS, 6, 50000, 1000 },
		{ 0, 8, 2, 200000, 20 },
		{ 0, 1, 1, 500000, 500 },
	};
	struct page_heap_count count;

	for (unsigned round = 0; round < 4; round++) {
		heap_fresh(modes[round].limit);
		config.purge_budget = 2 * MIB;
		nr_runs = modes[round].nr_runs;
		thread_shift = modes[round].shift;
		nr_steps = modes[round].nr_steps;
		nr_steps_a_tick = modes[round].nr_steps_a_tick;
		threads_run(NR_THREADS, random_thread);
		page_heap_check();
		page_heap_count(&count);
		assert_int_equal(budget_claimed_size(), 0);
		assert_true(count.nr_free == count.nr_data);
		assert_true(count.nr_dirty ==
			    budget_dirty_size() >> UNIT_SHIFT);
		assert_int_equal(count.nr_unfiled, 0);
		assert_int_equal(count.nr_unhinted, 0);
	}
}

TEST_MAIN(NULL, NULL)
