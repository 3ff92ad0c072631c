/* front/ring.h: a block waits until as many came behind it as its ring has
 * places; who empties the rings gets each once, and others go by meanwhile */
#include "heap_fixture.h"
#include "../stress/harness/memory.h"

#include "front/ring.c"

#define SIZE 64
#define NR_THREADS 4
#define NR_SWAPS 20000

static unsigned id(void)
{
	return rseq_current_id();
}

static int setup(void **state)
{
	int result = heap_setup_pinned(state);

	config.quarantine = (uint64_t)128 << 10;
	return result;
}

static void *block_get(void)
{
	void *block = heap_alloc(SIZE);

	assert_non_null(block);
	return block;
}

static void put(void *block, size_t size, void **old)
{
	unsigned tries = 0;

	while (!ring_swap(block, size, old))
		assert_true(ring_make(id()) && tries++ < 100);
}

/* Takes all out of the id's rings, and frees it; how many. */
static size_t empty_of(unsigned id, struct ring *rings)
{
	size_t i, nr = 0;
	void *block;

	for (i = 0; ring_empty(rings, i, &block); i++)
		if (block) {
			heap_free(block);
			nr++;
		}
	assert_int_equal(i, area_places(rings));
	ring_give_back(id, rings);
	return nr;
}

static size_t empty(void)
{
	struct ring *rings = ring_take(id());

	assert_non_null(rings);
	return empty_of(id(), rings);
}

static void empty_all(void)
{
	struct ring *rings;

	for (unsigned i = 0; i < ring_ids_end(); i++)
		if ((rings = ring_take(i)))
			empty_of(i, rings);
}

TEST(the_groups_bound_the_bytes, NULL, NULL)
{
	size_t all = 0;
	unsigned i;

	assert_int_equal(ring_of_size(16), 0);
	assert_int_equal(ring_of_size(128), 0);
	assert_int_equal(ring_of_size(144), 1);
	assert_int_equal(ring_of_size(1024), 1);
	assert_int_equal(ring_of_size(1088), 2);
	assert_int_equal(ring_of_size(8192), 2);
	assert_int_equal(ring_of_size(9216), 3);
	assert_int_equal(ring_of_size(SMALL_SIZE_MOST), NR_RINGS - 1);
	config.quarantine = (uint64_t)16 << 20;
	for (i = 0; i < NR_RINGS; i++)
		all += group_places(i) * group_size(i) *
		       max_size(rseq_state.nr_cpus, CPUS_LEAST);
	assert_in_range(all, config.quarantine / 2, config.quarantine);
	config.quarantine = 0;
	for (i = 0; i < NR_RINGS; i++)
		assert_int_equal(group_places(i), 1);
	/* Nor are there more than one can look at. */
	config.quarantine = (uint64_t)1 << 40;
	for (i = 0; i < NR_RINGS; i++)
		assert_in_range(group_places(i), 1 << 16, 1 << 17);
	/* With checks=full as much as there is. */
	config.quarantine = (uint64_t)16 << 20;
	config.checks = CHECKS_FULL;
	for (all = i = 0; i < NR_RINGS; i++)
		all += group_places(i) * group_size(i) * rseq_state.nr_cpus;
	assert_in_range(all, config.quarantine / 2, config.quarantine);
	config.quarantine = (uint64_t)1 << 40;
	assert_int_equal(group_places(0), RING_PLACES_MOST);
	config.checks = CHECKS_OFF;
}

TEST(they_come_out_in_order, setup, NULL)
{
	void *blocks[100], *old = NULL, *large = block_get();
	size_t n, i;

	if (!gate_is_open())
		return;
	n = group_places(0);
	assert_in_range(n, 16, 50);
	for (i = 0; i < 100; i++)
		blocks[i] = block_get();
	for (i = 0; i < 100; i++) {
		put(blocks[i], SIZE, &old);
		assert_ptr_equal(old, i < n ? NULL : blocks[i - n]);
		assert_true(ring_has(blocks[i]));
		assert_int_equal(!old, !old || ring_has(old));
		assert_int_equal(ring_size(), min_size(i + 1, n) * SIZE);
		if (old)
			heap_free(old);
	}
	/* Of another group: as large as it says. */
	put(large, 1024, &old);
	assert_null(old);
	assert_int_equal(ring_size(), (n + 1) * SIZE);
	assert_int_equal(empty(), n + 1);
	assert_int_equal(ring_size(), 0);
	assert_false(ring_has(blocks[99]));
}

/* Nobody swaps in rings that are out, and no second ones are made. */
TEST(rings_are_out_for_all, setup, NULL)
{
	struct ring *rings;
	void *block = block_get(), *old;

	if (!gate_is_open())
		return;
	put(block, SIZE, &old);
	rings = ring_take(id());
	assert_non_null(rings);
	assert_null(ring_take(id()));
	assert_false(ring_swap(block, SIZE, &old));
	assert_false(ring_make(id()));
	assert_int_equal(ring_size(), 0);
	assert_false(ring_has(block));
	ring_give_back(id(), rings);
	assert_true(ring_has(block));
	assert_int_equal(empty(), 1);
}

/* An id of nobody's: without memory the system is not asked at each free. */
TEST(the_system_is_asked_once_in_a_while, setup, NULL)
{
	unsigned long once;

	fake_fail_from(FAKE_MAP, 1);
	assert_false(ring_make(61));
	once = fake_calls(FAKE_MAP);
	for (unsigned i = 1; i < RING_REFUSED_PASSES; i++)
		assert_false(ring_make(61));
	assert_int_equal(fake_calls(FAKE_MAP), once);
	fake_reset();
	assert_true(ring_make(61));
}

static size_t resident_size(void)
{
	size_t size = memory_resident_exact();

	if (!size)
		skip();
	return size;
}

/* Rings of 4 MiB that nobody used are not written to. */
TEST(what_is_empty_costs_no_memory, setup, NULL)
{
	struct ring *rings;
	size_t i, before;
	void *block;

	config.quarantine = (uint64_t)1 << 40;
	assert_true(ring_make(62));
	rings = ring_take(62);
	if (!rings)
		return;
	resident_size(); /* stdio has its buffer now */
	before = resident_size();
	for (i = 0; ring_empty(rings, i, &block); i++)
		assert_null(block);
	assert_in_range(i, 1 << 18, 1 << 20);
	assert_true(resident_size() < before + MIB);
	ring_give_back(62, rings);
}

/* More CPUs than there were in the beginning: what waits stays within bounds.
 * Who found no memory is not counted. */
TEST(no_more_ids_than_cpus_have_rings, setup, NULL)
{
	uint32_t nr_cpus = rseq_state.nr_cpus;
	size_t i;

	config.checks = CHECKS_FULL;
	rseq_state.nr_cpus = load_relaxed(&nr_areas) + 2;
	fake_fail_from(FAKE_MAP, 1);
	for (i = 0; i < RING_REFUSED_PASSES; i++)
		assert_false(ring_make(70));
	fake_reset();
	for (unsigned id = 70; id < 72; id++) {
		for (i = 0; i < RING_REFUSED_PASSES && !ring_make(id); i++)
			;
		assert_true(ring_make(id));
	}
	for (i = 0; i < RING_REFUSED_PASSES; i++)
		assert_false(ring_make(72));
	assert_int_equal(ring_areas[72], RING_NONE);
	assert_true(ring_make(70));
	rseq_state.nr_cpus = nr_cpus;
	config.checks = CHECKS_OFF;
}

static _Atomic(unsigned) nr_done;

static void *churn(void *arg)
{
	void *old = NULL;

	for (unsigned i = 0; i < NR_SWAPS; i++) {
		void *mine = old ? old : block_get();

		memset(mine, (int)i, SIZE);
		if (!ring_swap(mine, SIZE, &old)) {
			ring_make(id());
			old = mine;
		}
	}
	if (old)
		heap_free(old);
	nr_done++;
	return arg;
}

/* Each block is in one hand: a slab would say of a second free of it. */
TEST(who_empties_them_gets_each_once, setup, NULL)
{
	pthread_t threads[NR_THREADS];

	if (!gate_is_open())
		return;
	nr_done = 0;
	threads_start(threads, NR_THREADS, churn);
	while (nr_done < NR_THREADS)
		empty_all();
	threads_join(threads, NR_THREADS);
	empty_all();
	assert_int_equal(ring_size(), 0);
	cpu_cache_flush_own();
}

TEST_MAIN(heap_setup_pinned, NULL)
