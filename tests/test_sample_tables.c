/* sample/site.h, trace.h, live.h: what is kept once is found again, what goes
 * is gone, and a table that is full says so; also by threads at once */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cases.h"
#include "sample/levels.h"
#include "sample/live.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "sample/unwind.h"

#define NR_THREADS 4
#define NR_ROUNDS 20000

static void *tables[4];

static void tables_new(uint64_t nr_sites, uint64_t nr_index, uint64_t nr_words,
		       uint64_t live_size)
{
	const uint64_t sizes[] = { 8 * nr_sites, 4 * nr_index, 8 * nr_words,
				   live_size };

	for (int i = 0; i < 4; i++) {
		free(tables[i]);
		tables[i] = calloc(1, sizes[i]);
		assert_non_null(tables[i]);
	}
	site_start(tables[0], nr_sites);
	trace_start(tables[1], nr_index, tables[2], nr_words);
	live_start(tables[3], live_size);
}

TEST(test_levels)
{
	static unsigned char seen[1 << 16];
	uint64_t hash;

	assert_int_equal(levels_within(511), 0);
	assert_int_equal(levels_within(512), 1);
	assert_int_equal(levels_within(1279), 1);
	assert_int_equal(levels_within(1280), 2);
	assert_int_equal(levels_within(UINT64_MAX), 30);
	/* Every bucket of a level is somebody's, and of that level alone. */
	for (unsigned i = 0; i < 200000; i++) {
		hash = (uint64_t)i * 0x9e3779b97f4a7c15;
		for (unsigned level = 0; level < 9; level++) {
			uint32_t at = level_bucket(hash, level);

			assert_in_range(at, levels_entries(level),
					levels_entries(level + 1) - 8);
			assert_int_equal(at % 8, 0);
			seen[at / 8] = 1;
		}
	}
	for (unsigned i = 0; i < levels_entries(9) / 8; i++)
		assert_int_equal(seen[i], 1);
}

TEST(test_sites)
{
	uint64_t i, nr = 0;

	tables_new(4096, 4096, 4096, 1 << 16);
	for (i = 1; i <= 6000; i++) {
		uint32_t site = site_intern(i * 64);

		if (!site)
			continue;
		nr++;
		assert_in_range(site, 1, site_nr());
		assert_int_equal(site_address(site), i * 64);
		assert_int_equal(site_intern(i * 64), site);
	}
	/* Some bucket is full before all are. */
	assert_in_range(nr, site_nr() * 9 / 10, site_nr());
}

static uint32_t stack_intern(uint64_t first, unsigned n)
{
	uint64_t stack[UNWIND_MOST];

	for (unsigned i = 0; i < n; i++)
		stack[i] = first + i;
	return trace_intern(stack, n);
}

TEST(test_traces)
{
	uint32_t a, b, none, at = 0;
	unsigned i, nr = 0;

	tables_new(1 << 15, 1 << 12, 1 << 16, 1 << 16);
	none = stack_intern(0, 0);
	a = stack_intern(100, 10);
	b = stack_intern(100, 11);
	assert_true(none && a && b && a != b && a != none);
	assert_int_equal(stack_intern(100, 10), a);
	assert_int_equal(stack_intern(0, 0), none);
	assert_int_equal(stack_intern(100, UNWIND_MOST) !=
			 stack_intern(101, UNWIND_MOST), 1);
	assert_int_equal(trace_of(b)->nr, 11);
	for (i = 0; i < 11; i++)
		assert_int_equal(site_address(trace_of(b)->sites[i]), 100 + i);
	trace_add(trace_of(a), TRACE_ALLOCS, 3);
	trace_add(trace_of(a), TRACE_FREES, 1);
	assert_int_equal(trace_less(trace_of(a), TRACE_ALLOCS, TRACE_FREES), 2);
	assert_int_equal(trace_less(trace_of(a), TRACE_FREES, TRACE_ALLOCS), 0);
	while (trace_next(&at))
		nr++;
	assert_int_equal(nr, 5);
}

static unsigned nr_sites_used(void)
{
	unsigned i, nr = 0;

	for (i = 1; i <= site_nr(); i++)
		nr += site_address(i) != 0;
	return nr;
}

/* No room for records: the stack is refused, the ones before are there. */
TEST(test_traces_full)
{
	uint64_t used;
	uint32_t first, at = 0, nr = 0;
	unsigned i = 1;

	tables_new(1 << 15, 1 << 12, 600, 1 << 16);
	first = stack_intern(7, 9);
	assert_true(first);
	while (stack_intern(1000 * i, 9))
		i++;
	assert_in_range(i, 10, 40);
	used = trace_used_size();
	assert_true(used <= 600 * 8);
	assert_int_equal(stack_intern(7, 9), first);
	assert_int_equal(nr_sites_used(), 9 * i);
	assert_int_equal(stack_intern(1000 * i, 9), 0);
	assert_int_equal(trace_used_size(), used);
	/* What is refused once is not tried on all levels. */
	((uint32_t *)tables[1])[levels_entries(3)] = first;
	while (trace_next(&at))
		nr++;
	assert_int_equal(nr, i);
	/* No room in the index: the piece goes back. */
	tables_new(1 << 15, 512, 1 << 20, 1 << 16);
	for (i = 1; stack_intern(i, 3); i++)
		;
	used = trace_used_size();
	assert_int_equal(stack_intern(i, 3), 0);
	assert_int_equal(trace_used_size(), used);
}

TEST(test_live)
{
	struct live_info info = { 0 };
	uint64_t i, nr = 0, most = (1 << 16) / LIVE_ENTRY_SIZE;
	unsigned char *there = calloc(1, most + 1);
	uint64_t nr_seen = 0;
	uint32_t at = 0;

	tables_new(512, 512, 512, 1 << 16);
	assert_false(live_remove((void *)16, &info));
	for (i = 1; i <= most; i++) {
		info = (struct live_info){ .size = i, .trace = (uint32_t)i + 1,
					   .since = 7 };
		there[i] = live_add((void *)(i * 16), &info);
		nr += there[i];
	}
	assert_int_equal(live_nr(), nr);
	assert_in_range(nr, 1200, 1536);
	while (live_next(&at, &info)) {
		assert_int_equal(info.trace, info.size + 1);
		assert_true(there[info.size]);
		nr_seen++;
	}
	assert_int_equal(nr_seen, nr);
	for (i = most; i; i--) {
		assert_int_equal(live_remove((void *)(i * 16), &info),
				 there[i]);
		assert_false(live_remove((void *)(i * 16), &info));
		if (there[i])
			assert_int_equal(info.size, i);
		if (there[i])
			assert_int_equal(info.trace, i + 1);
	}
	assert_int_equal(live_nr(), 0);
	free(there);
}

static void *thread_run(void *arg)
{
	uint64_t mine = (uintptr_t)arg << 40, i;
	void *block;
	struct live_info info;
	uint32_t trace;

	for (i = 0; i < NR_ROUNDS; i++) {
		trace = stack_intern(1 + i % 997, 1 + i % 13);
		if (!trace || trace_of(trace)->nr != 1 + i % 13)
			return NULL;
		trace_add(trace_of(trace), TRACE_ALLOCS, 1);
		info = (struct live_info){ .size = i, .trace = trace };
		block = (void *)(mine + 16 * (i < 32 ? i : 32 + i % 64) + 16);
		if (!live_add(block, &info))
			return NULL;
		if (i < 32) /* stays */
			continue;
		if (!live_remove(block, &info))
			return NULL;
		if (info.size != i || info.trace != trace)
			return NULL;
	}
	return arg;
}

/* Each stack has one record, whoever comes first. */
TEST(test_threads)
{
	pthread_t threads[NR_THREADS];
	uint64_t sum = 0, first = 0;
	unsigned nr = 0;
	uint32_t at = 0;
	struct trace *t;
	void *result;

	tables_new(1 << 14, 1 << 17, 1 << 20, 1 << 20);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, thread_run, (void *)(i + 1));
	for (uintptr_t i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], &result);
		assert_non_null(result);
	}
	while ((t = trace_next(&at))) {
		sum += trace_get(t, TRACE_ALLOCS);
		first += trace_get(t, TRACE_ALLOCS) == 0;
		nr++;
	}
	assert_int_equal(sum, NR_THREADS * NR_ROUNDS);
	assert_int_equal(nr, 997 * 13);
	assert_int_equal(first, 0);
	assert_int_equal(live_nr(), NR_THREADS * 32);
}

/* Of keys that share a bucket as few share one on the next level as of any. */
TEST(test_levels_are_apart)
{
	static uint64_t last[256];
	unsigned i, nr = 0;

	for (i = 1; i <= 20000; i++) {
		uint64_t hash = bits_scramble(i), other;
		uint32_t at = level_bucket(hash, 4) - levels_entries(4);

		other = last[at / BUCKET_ENTRIES];
		last[at / BUCKET_ENTRIES] = hash;
		nr += other && level_bucket(hash, 5) == level_bucket(other, 5);
	}
	assert_in_range(nr, 20, 120);
}

/* The first key that finds no room finds two thirds of a table full. */
TEST(test_table_is_full)
{
	struct live_info info = { .size = 1 };
	uint32_t most = levels_entries(8);
	uint64_t i, first;

	for (first = 1; first <= 8 << 20; first += 1 << 20) {
		tables_new(512, 512, 1 << 10, most * LIVE_ENTRY_SIZE);
		for (i = first; live_add((void *)(i * 4096), &info);)
			i++;
		assert_in_range(i - first, most / 3 * 2, most);
	}
}

/* Of the entries that are touched few are free, also where a level was begun:
 * these are a heap of 10 GiB. The last test, as used levels stay so. */
TEST(test_levels_are_full)
{
	static bool pages[1 << 10];
	const uint32_t page = 4096 / LIVE_ENTRY_SIZE;
	struct live_info info = { .size = 1 };
	uint32_t at = 0, nr = 0;

	tables_new(512, 512, 1 << 10, 1 << 21);
	for (uint64_t i = 1; i <= 20000; i++)
		assert_true(live_add((void *)(i * 4096), &info));
	while (live_next(&at, &info)) {
		nr += !pages[at / page];
		pages[at / page] = true;
	}
	assert_in_range(nr * page, 20000, 29000);
}

TEST_MAIN(NULL, NULL)
