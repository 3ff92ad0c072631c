/* Regions: start, growth, other people's memory, failures */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "region_fixture.h"
#include "../stress/harness/memory.h"

#define STEP GROW_LEAST

static uint32_t taken(void)
{
	return load_relaxed(&r0->nr_taken); // counter
}

/* Below a hundredth. */
TEST(metadata_is_small)
{
	heap_forget();
	for (size_t size = 2 * MIB; size <= REGION_SIZE_MOST; size *= 2) {
		struct region r = { 0 };
		size_t meta = (size_t)region_lay_out(&r, NULL,
						     size >> UNIT_SHIFT);

		store_relaxed(&r.nr_units, (uint32_t)(size >> UNIT_SHIFT));
		is_laid_out(&r);
		if (size >= GIB)
			assert_true(meta <= size / 100);
	}
}

TEST(starts_once)
{
	unsigned long calls;
	char local;

	heap_forget();
	assert_null(region_of(&local));
	assert_null(region_of(NULL));
	assert_null(region_of((void *)0x400000));
	assert_true(region_start());
	is_laid_out(r0);
	calls = fake_calls(FAKE_ANY);
	assert_true(region_start());
	assert_int_equal(fake_calls(FAKE_ANY), calls);
	assert_null(region_of(&local));
	assert_ptr_equal(region_of(r0->base), r0);
	assert_ptr_equal(region_of(r0->base + region_size(r0) - 1), r0);
	assert_null(region_of(r0->base + region_size(r0)));
	assert_null(region_of(r0->base - 1));
	assert_null(region_of(r0->head));
	assert_ptr_equal(region_of_span(&r0->spans[5]), r0);
	assert_int_equal(region_span_unit(r0, &r0->spans[5]), 5);
	heap_check();
}

static size_t resident_size(void)
{
	size_t size = memory_resident_exact();

	if (!size)
		skip();
	return size;
}

TEST(start_is_cheap)
{
	size_t before;

	heap_forget();
	resident_size(); /* stdio has its buffer now */
	before = resident_size();
	assert_true(region_start());
	assert_true(resident_size() - before <= 128 << 10);
	assert_true(fake_calls(FAKE_MAP) <= 7);
	assert_true(fake_address_size() <= 32 * MIB);
}

static void *start(void *barrier)
{
	pthread_barrier_wait(barrier);
	return region_start() ? r0->base : NULL;
}

TEST(threads_race_for_the_start)
{
	size_t alone;
	pthread_barrier_t barrier;
	pthread_t threads[4];
	void *base;

	heap_fresh(0);
	alone = fake_address_size();
	pthread_barrier_init(&barrier, NULL, 4);
	for (unsigned round = 0; round < 50; round++) {
		heap_forget();
		for (unsigned i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, start, &barrier);
		for (unsigned i = 0; i < 4; i++) {
			pthread_join(threads[i], &base);
			assert_ptr_equal(base, r0->base);
		}
		/* The losers gave everything back. */
		assert_int_equal(fake_address_size(), alone);
		heap_check();
	}
	pthread_barrier_destroy(&barrier);
}

/* The winner dies before it publishes: whoever comes next does it. */
TEST(start_needs_no_winner)
{
	unsigned long calls;

	heap_forget();
	assert_non_null(region_elect());
	assert_false(region_is_ready(r0));
	calls = fake_calls(FAKE_MAP);
	assert_true(region_start());
	assert_int_equal(fake_calls(FAKE_MAP), calls);
	heap_check();
}

/* Every system call of the start fails in turn. */
TEST(start_survives_failures)
{
	unsigned long k;

	for (k = 1;; k++) {
		heap_forget();
		fake_fail_at(FAKE_ANY, k);
		if (!region_start())
			assert_true(region_start());
		heap_check();
		if (fake_calls(FAKE_ANY) < k)
			break;
		heap_forget();
		fake_fail_from(FAKE_ANY, k);
		if (!region_start()) {
			assert_false(region_is_ready(r0));
			assert_int_equal(fake_address_size(), 0);
			fake_fail_from(FAKE_ANY, 0);
			assert_true(region_start());
		}
		heap_check();
	}
	assert_true(k > 5);
}

static int map_others(void *at)
{
	return mmap(at, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) != at;
}

/* Where somebody else's memory lies in the metadata's place, it stays, and
 * another place serves. */
TEST(start_goes_around_others)
{
	struct part parts[NR_PARTS];

	for (unsigned i = 0; i < NR_PARTS; i++) {
		uint64_t meta, data;

		heap_fresh(0);
		assert_int_equal(region_parts(r0, true, parts), NR_PARTS);
		meta = (uint64_t)(uintptr_t)r0->head;
		data = (uint64_t)(uintptr_t)r0->base;
		heap_forget();
		store_relaxed(&next_place[PLACE_META], meta); // own
		store_relaxed(&next_place[PLACE_DATA], data); // own
		assert_int_equal(map_others(parts[i].at), 0);
		*(char *)parts[i].at = 7;
		assert_true(region_start());
		assert_true((uint64_t)(uintptr_t)r0->head > meta);
		assert_int_equal(*(char *)parts[i].at, 7);
		munmap(parts[i].at, 4096);
		heap_check();
	}
}

TEST(respects_small_limits)
{
	for (size_t limit = 16 * MIB; limit <= GIB; limit *= 2) {
		struct run run;

		heap_fresh(limit);
		assert_true(page_heap_take(1, 1, 0, &run));
		memset(heap_addr(&run), 1, heap_size(&run));
		heap_check();
		heap_give(&run);
		heap_check();
	}
}

/* With the real limit, in the real kernel. */
TEST(respects_the_real_limit)
{
	struct rlimit old, now;
	struct run run;

	heap_forget();
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	now = old;
	now.rlim_cur = 512 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
	assert_true(region_start());
	assert_true(page_heap_take(100, 1, 0, &run));
	assert_false(page_heap_take(GIB / UNIT_SIZE, 1, 0, &run));
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	heap_check();
}

TEST(grows_in_steps)
{
	uint32_t unit, n, end = 0;
	unsigned steps;

	heap_fresh(0);
	for (steps = 0; end < GIB / UNIT_SIZE; steps++, end += n) {
		assert_true(region_grow(r0, 1, &unit, &n));
		assert_int_equal(unit, end);
		assert_int_equal(n, round_up(max_size(STEP, end / 8), 64));
		are_usable(r0, unit, n);
		level_release_units(r0, unit, n);
	}
	assert_true(steps < 50);
	assert_int_equal(load_relaxed(&r0->nr_committed), // counter
			 told_committed);
	assert_int_equal(load_relaxed(&r0->nr_mapped), end); // counter
	page_heap_check();
	/* While another grower is at work, as little as can be. */
	add_relaxed(&r0->nr_growers, 1); // own
	assert_true(region_grow(r0, 1, &unit, &n));
	assert_int_equal(n, STEP);
	add_relaxed(&r0->nr_growers, 1); // own
	assert_true(region_grow(r0, STEP + 1, &unit, &n));
	assert_int_equal(n, STEP + 64);
	/* That one is dead, or this growth was enough for it. */
	assert_true(region_grow(r0, 1, &unit, &n));
	assert_int_equal(n, round_up(unit / 8, 64));
}

/* A large step is refused: what is needed; that, too: nothing changes. */
TEST(grows_by_what_is_needed)
{
	uint32_t unit, n, k;

	for (k = 1; k <= 5; k++) {
		heap_fresh(0);
		fake_fail_at(FAKE_MAP, 1);
		assert_true(region_grow(r0, k * 20, &unit, &n));
		assert_int_equal(unit, 0);
		assert_int_equal(n, round_up(k * 20, 64));
		assert_int_equal(taken(), n);
		are_usable(r0, unit, n);
		fake_fail_from(FAKE_MAP, 1);
		assert_false(region_grow(r0, 1, &unit, &n));
		assert_int_equal(taken(), round_up(k * 20, 64));
		assert_int_equal(load_relaxed(&r0->nr_growers), 0); // counter
		fake_fail_from(FAKE_MAP, 0);
		assert_true(region_grow(r0, 1, &unit, &n));
		assert_int_equal(unit, round_up(k * 20, 64));
		assert_int_equal(n, STEP);
	}
}

/* Others have claimed behind: what was refused is found again. */
TEST(refused_units_are_found_again)
{
	uint32_t unit = 0, n, first, got;

	heap_fresh(0);
	assert_true(region_claim(r0, false, 1, &first, &n));
	assert_true(region_grow(r0, 1, &unit, &got));
	assert_int_equal(unit, n);
	fake_fail_from(FAKE_MAP, 1);
	assert_int_equal(region_map(r0, first, 1, &n), -ENOMEM);
	assert_int_equal(taken(), unit + got);
	assert_true(load_relaxed(&r0->spare[0]) == STEP); // own
	/* Refused again, the spare is a spare again. */
	assert_false(region_grow(r0, 1, &unit, &n));
	assert_true(load_relaxed(&r0->spare[0]) == STEP); // own
	fake_fail_from(FAKE_MAP, 0);
	fake_fail_at(FAKE_MAP, 1);
	assert_true(region_grow(r0, 1, &unit, &n));
	assert_int_equal(unit, first);
	assert_int_equal(n, 64);
	assert_true(region_grow(r0, 1, &unit, &n));
	assert_int_equal(unit, 64);
	assert_int_equal(n, STEP - 64);
	are_usable(r0, 0, 2 * STEP);
}

TEST(the_end_of_a_region)
{
	uint32_t unit, n, end = 0;

	heap_small(34 * MIB);
	while (region_grow(r0, 65, &unit, &n)) {
		assert_int_equal(unit, end);
		end += n;
	}
	assert_int_equal(end, 4 * STEP);
	assert_false(region_grow_at(r0, end, 65, &n));
	assert_true(region_grow_at(r0, end, 64, &n));
	assert_int_equal(n, 64);
	assert_int_equal(taken(), load_relaxed(&r0->nr_units)); // const
	assert_false(region_grow(r0, 1, &unit, &n));
	are_usable(r0, 0, taken());
}

/* Somebody else's memory makes a hole, and the next units serve. */
TEST(grows_around_others)
{
	uint32_t unit, n;

	heap_fresh(0);
	fake.taken = region_addr(r0, 70);
	fake.taken_size = 4096;
	assert_true(region_grow(r0, 1, &unit, &n));
	assert_int_equal(unit, STEP);
	are_usable(r0, unit, n);
	assert_int_equal(load_relaxed(&r0->nr_mapped), STEP); // counter
	fake.taken = region_addr(r0, 2 * STEP);
	assert_false(region_grow_at(r0, 2 * STEP, 10, &n));
	assert_int_equal(taken(), 3 * STEP);
	assert_true(region_grow_at(r0, 3 * STEP, 10, &n));
	fake.taken = r0->base;
	fake.taken_size = region_size(r0);
	assert_false(region_grow(r0, 1, &unit, &n));
	page_heap_check();
}

/* A grower that dies between its claim and its mapping leaves the others at
 * work; the quanta that it did not map, or mapped in part, they map. */
TEST(growers_die)
{
	uint32_t first, n, unit, got;

	heap_fresh(0);
	store_relaxed(&r0->nr_taken, REGION_QUANTUM - STEP); // own
	add_relaxed(&r0->nr_growers, 1);		     // own
	assert_true(region_claim(r0, false, 3 * REGION_QUANTUM, &first, &n));
	assert_true(region_grow(r0, 1, &unit, &got));
	assert_int_equal(unit, first + n);
	are_usable(r0, first + n, got);
	first = load_relaxed(&r0->nr_committed); // own
	assert_int_equal(region_map_array(r0->tags, 16, first, first + 8192),
			 0);
	assert_int_equal(region_map_array(r0->spans, sizeof(struct span),
					  first, first + 4096),
			 0);
	assert_true(region_grow(r0, 4 * REGION_QUANTUM, &unit, &got));
	are_usable(r0, unit, got);
	memset(&r0->spans[first], 0, 8192 * sizeof(struct span));
	page_heap_check();
}

#define GROWERS 4
#define GROWS 200
static struct grown {
	uint32_t unit, n;
} grown[GROWERS][GROWS];

static void *grow_many(void *arg)
{
	struct grown *mine = grown[(size_t)arg];

	for (unsigned i = 0; i < GROWS; i++) {
		if (!region_grow(r0, 1 + i % 200, &mine[i].unit, &mine[i].n))
			mine[i].n = 0;
		else
			region_addr(r0, mine[i].unit)[0] = 1;
	}
	return NULL;
}

/* The last units of all are usable, and nobody has one twice. */
static void growers_are_apart(void)
{
	static unsigned char owners[1 << 25];

	memset(owners, 0, sizeof(owners));
	for (unsigned i = 0; i < GROWERS * GROWS; i++) {
		struct grown *g = &grown[i / GROWS][i % GROWS];

		if (!g->n)
			continue;
		assert_true(g->unit + g->n <= sizeof(owners));
		assert_null(memchr(owners + g->unit, 1, g->n));
		for (uint32_t u = 0; u < g->n; u++)
			owners[g->unit + u]++;
		for (unsigned k = 0; k < g->n; k += g->n - 1)
			are_usable(r0, g->unit + k, 1);
	}
}

TEST(growers_race)
{
	for (unsigned round = 0; round < 6; round++) {
		heap_fresh(round % 2 ? GIB : 4 * GIB);
		threads_run(GROWERS, grow_many);
		assert_int_equal(load_relaxed(&r0->nr_growers), 0); // counter
		growers_are_apart();
	}
}

TEST(hugepage_option)
{
	static const struct {
		const char *text;
		unsigned nr_first, nr_grown;
	} cases[] = {
		{ "hugepage=system", 0, 0 },
		{ "hugepage=auto", 0, 1 },
		{ "hugepage=on", 1, 1 },
		{ "hugepage=off", 1, 1 },
	};
	uint32_t unit, n;

	for (unsigned i = 0; i < 4; i++) {
		heap_forget();
		config_parse(&config, cases[i].text);
		assert_true(region_start());
		assert_int_equal(fake_calls(FAKE_HUGEPAGES), 4);
		assert_true(region_grow(r0, 1000, &unit, &n));
		assert_int_equal(fake_calls(FAKE_HUGEPAGES),
				 4 + cases[i].nr_first);
		assert_true(region_grow(r0, 2000, &unit, &n));
		assert_int_equal(fake_calls(FAKE_HUGEPAGES),
				 4 + cases[i].nr_first + cases[i].nr_grown);
	}
}

/* Hugepages stay where the machine has them to spare. */
TEST(hugepages_are_measured)
{
	static const struct {
		uint64_t small_ns, huge_ns;
		bool stay;
	} cases[] = {
		{ 500, 50000, true },
		{ 500, 128000, true },
		{ 500, 128001, false },
		{ 500, 5000000, false },
	};
	uint32_t unit, n;

	for (unsigned i = 0; i < 4; i++) {
		heap_forget();
		config_parse(&config, "hugepage=auto");
		hugepages = (struct hugepages){ 0 };
		fake.small_ns = cases[i].small_ns;
		fake.huge_ns = cases[i].huge_ns;
		assert_true(region_start());
		assert_true(region_grow(r0, 2048, &unit, &n));
		assert_true(region_grow(r0, 128, &unit, &n));
		assert_int_equal(load_relaxed(&hugepages.huge_ns), // hint
				 cases[i].huge_ns);
		assert_int_equal(fake.huge, cases[i].stay);
		assert_int_equal(
			load_relaxed(&hugepages.advised_size), // counter
			cases[i].stay ? (size_t)n << UNIT_SHIFT : 0);
		assert_int_equal(*(char *)region_addr(r0, unit), 0);
	}
}

/* Nor where the system refuses, or a growth is too small to try. */
TEST(hugepages_refused)
{
	uint32_t unit, n;

	heap_forget();
	config_parse(&config, "hugepage=auto");
	hugepages = (struct hugepages){ 0 };
	assert_true(region_start());
	assert_true(region_grow(r0, 2048, &unit, &n));
	fake_fail_from(FAKE_HUGEPAGES, 1);
	assert_true(region_grow(r0, 128, &unit, &n));
	assert_int_equal(load_relaxed(&hugepages.advised_size), 0); // counter
}

TEST_MAIN(NULL, NULL)
