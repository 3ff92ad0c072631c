/* Regions: start, limits, commit, further regions, every failing call */
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

#include "page_heap_fixture.h"

static void is_laid_out(const struct region *r)
{
	uint32_t nr = load_relaxed(&r->nr_units); // const
	char *data = region_addr(r, r->first_unit);
	unsigned l;

	assert_int_equal((size_t)r->base % HUGEPAGE_SIZE, 0);
	assert_ptr_equal(r->tags, r->base + REGION_TAGS_OFFSET);
	for (l = 0; l < NR_LEVELS; l++) {
		char *words = (char *)r->levels[l].words;

		assert_true(words >= (char *)(r->tags + nr));
		assert_true(words + r->levels[l].nr_words * 8ul <=
			    (char *)r->spans);
		assert_true((char *)r->levels[l].fit >= (char *)(r->tags + nr));
	}
	assert_true((char *)(r->dirty + r->levels[0].nr_words) <=
		    (char *)r->spans);
	assert_true((char *)(r->spans + nr) <= (char *)r->bits);
	assert_true((char *)(r->bits + (size_t)nr * UNIT_BITS_WORDS) <= data);
	assert_true(r->first_unit < nr);
}

/* Below a 64th, the promise that region_add() calculates with. */
static void metadata_is_small(void **state)
{
	size_t size;

	(void)state;
	heap_forget();
	for (size = REGION_SIZE_LEAST; size <= REGION_SIZE_MOST; size *= 2) {
		struct region r = { 0 };

		region_lay_out(&r, (char *)(size_t)HUGEPAGE_SIZE, size);
		store_relaxed(&r.nr_units, (uint32_t)(size >> UNIT_SHIFT));
		is_laid_out(&r);
		assert_true((size_t)r.first_unit * UNIT_SIZE <=
			    METADATA_SIZE + (size >> METADATA_SHIFT) +
				    HUGEPAGE_SIZE);
		if (size >= GIB)
			assert_true((size_t)r.first_unit * UNIT_SIZE <=
				    size / 100);
	}
}

static void starts_once(void **state)
{
	char local;

	(void)state;
	heap_forget();
	assert_null(region_of(&local));
	assert_null(region_of(NULL));
	assert_null(region_of((void *)0x400000));
	assert_true(region_start());
	is_laid_out(&regions[0]);
	assert_true(region_start());
	assert_int_equal(fake_calls(FAKE_RESERVE), 1);
	assert_null(region_of(&local));
	assert_ptr_equal(region_of(regions[0].base), &regions[0]);
	assert_ptr_equal(
		region_of(regions[0].base + region_size(&regions[0]) - 1),
		&regions[0]);
	assert_null(region_of(regions[0].base + region_size(&regions[0])));
	assert_null(region_of(regions[0].base - 1));
	heap_check();
}

/* Exact, unlike statm, which some kernels sum up lazily. */
static size_t resident_size(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	unsigned long size = 0;
	char line[256];

	if (!file)
		skip();
	while (!size && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %lu", &size);
	fclose(file);
	return size << 10;
}

static void start_is_cheap(void **state)
{
	size_t before;

	(void)state;
	heap_forget();
	resident_size(); /* stdio has its buffer now */
	before = resident_size();
	assert_true(region_start());
	assert_true(resident_size() - before <= 128 << 10);
	assert_true(fake_calls(FAKE_COMMIT) <= 2);
	assert_true(fake_calls(FAKE_HUGEPAGES) <= 1);
}

static void *start(void *barrier)
{
	pthread_barrier_wait(barrier);
	return region_start() ? regions[0].base : NULL;
}

static void threads_race_for_the_start(void **state)
{
	pthread_barrier_t barrier;
	pthread_t threads[4];
	unsigned round, i;
	void *base;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 4);
	for (round = 0; round < 50; round++) {
		heap_forget();
		for (i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, start, &barrier);
		for (i = 0; i < 4; i++) {
			pthread_join(threads[i], &base);
			assert_ptr_equal(base, regions[0].base);
		}
		assert_int_equal(fake_calls(FAKE_RESERVE),
				 fake_calls(FAKE_UNRESERVE) + 1);
		heap_check();
	}
	pthread_barrier_destroy(&barrier);
}

/* The winner dies before it publishes: whoever comes next does it. */
static void start_needs_no_winner(void **state)
{
	(void)state;
	heap_forget();
	assert_true(region_elect() != 0);
	assert_false(region_is_ready(&regions[0]));
	assert_true(region_start());
	assert_int_equal(fake_calls(FAKE_RESERVE), 1);
	heap_check();
}

/* Every system call of the start fails in turn. */
static void start_survives_failures(void **state)
{
	unsigned long k, nr;

	(void)state;
	for (k = 1;; k++) {
		heap_forget();
		fake_fail_at(FAKE_ANY, k);
		assert_true(region_start());
		heap_check();
		nr = fake_calls(FAKE_ANY);
		if (nr < k)
			break;
		heap_forget();
		fake_fail_from(FAKE_ANY, k);
		if (!region_start()) {
			assert_false(region_is_ready(&regions[0]));
			assert_int_equal(fake_address_size(), 0);
			fake_fail_from(FAKE_ANY, 0);
			assert_true(region_start());
		}
		heap_check();
	}
	assert_true(k > 3);
}

static void respects_small_limits(void **state)
{
	size_t limit;

	(void)state;
	for (limit = 16 * MIB; limit <= GIB; limit *= 2) {
		struct run run;

		heap_fresh(limit);
		assert_true(region_size(&regions[0]) <=
			    max_size(limit / 4, REGION_SIZE_LEAST));
		assert_true(page_heap_take(1, 1, 0, &run));
		memset(heap_addr(&run), 1, heap_size(&run));
		heap_check();
		heap_give(&run);
		heap_check();
	}
}

/* With the real limit, in the real kernel. */
static void respects_the_real_limit(void **state)
{
	struct rlimit old, now;
	struct run run;

	(void)state;
	heap_forget();
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	now = old;
	now.rlim_cur = 512 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
	assert_true(region_start());
	assert_true(region_size(&regions[0]) <= 128 * MIB);
	assert_true(page_heap_take(100, 1, 0, &run));
	assert_false(page_heap_take(GIB / UNIT_SIZE, 1, 0, &run));
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	heap_check();
}

static void commits_in_steps(void **state)
{
	struct region *r = &regions[0];
	uint32_t end, bound, last;

	(void)state;
	heap_fresh(0);
	end = load_relaxed(&r->nr_committed); // counter
	last = end + (uint32_t)(GIB / UNIT_SIZE);
	assert_int_equal(end, r->first_unit);
	for (; end < last; end++) {
		unsigned long calls = fake_calls(FAKE_COMMIT);

		assert_true(region_commit(r, end + 1));
		assert_true(load_relaxed(&r->nr_committed) > end); // counter
		if (fake_calls(FAKE_COMMIT) == calls)
			continue;
		/* The last unit of the step, data and arrays. */
		bound = load_relaxed(&r->nr_committed); // counter
		assert_int_equal(bound, told_committed);
		region_addr(r, bound - 1)[UNIT_SIZE - 1] = 1;
		memset(&r->tags[bound - 1], 0, sizeof(struct unit_tag));
		memset(&r->spans[bound - 1], 0, sizeof(struct span));
		store_relaxed(&r->bits[(size_t)bound * UNIT_BITS_WORDS - 1],
			      0); // own
	}
	assert_true(fake_calls(FAKE_COMMIT) < 4 * 40);
}

/* A large step may be refused where a small one is granted. */
static void commits_what_is_needed(void **state)
{
	struct region *r = &regions[0];
	unsigned k;

	(void)state;
	for (k = 1; k <= 4; k++) {
		heap_fresh(0);
		fake_fail_at(FAKE_COMMIT, k);
		assert_true(region_commit(r, r->first_unit + 1));
		assert_int_equal(load_relaxed(&r->nr_committed), // counter
				 r->first_unit + 2);
		fake_fail_from(FAKE_COMMIT, k);
		assert_false(region_commit(r, r->first_unit + 3));
		fake_fail_from(FAKE_COMMIT, 0);
		assert_true(region_commit(r, r->first_unit + 3));
		heap_check();
	}
}

static void hugepage_option(void **state)
{
	static const struct {
		const char *text;
		unsigned nr_start, nr_grown;
	} cases[] = {
		{ "hugepage=system", 1, 0 },
		{ "hugepage=auto", 1, 1 },
		{ "hugepage=on", 2, 0 },
		{ "hugepage=off", 1, 0 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint32_t first;

		heap_forget();
		config_parse(&config, cases[i].text);
		assert_true(region_start());
		assert_int_equal(fake_calls(FAKE_HUGEPAGES), cases[i].nr_start);
		first = regions[0].first_unit;
		assert_true(region_commit(&regions[0], first + 1000));
		assert_int_equal(fake_calls(FAKE_HUGEPAGES), cases[i].nr_start);
		assert_true(region_commit(&regions[0], first + 3000));
		assert_int_equal(fake_calls(FAKE_HUGEPAGES),
				 cases[i].nr_start + cases[i].nr_grown);
	}
}

static void adds_regions(void **state)
{
	struct run runs[32];
	unsigned n, i, round;

	(void)state;
	for (round = 0; round < 3; round++) {
		heap_fresh(256 * MIB);
		for (n = 0; n < 32; n++) {
			if (!page_heap_take(300, 1, 0, &runs[n]))
				break;
			memset(heap_addr(&runs[n]), (int)n, 100);
		}
		assert_true(n > 10 && n < 32);
		assert_ptr_not_equal(runs[n - 1].region, &regions[0]);
		heap_check();
		for (i = 0; i < n; i++) {
			char *end = heap_addr(&runs[i]) + heap_size(&runs[i]);

			is_laid_out(runs[i].region);
			assert_ptr_equal(region_of(end - 1), runs[i].region);
			assert_int_equal(*heap_addr(&runs[i]), i);
			heap_give(&runs[i]);
		}
		heap_check();
		assert_true(page_heap_take(300, 1, 0, &runs[0]));
		assert_ptr_equal(runs[0].region, &regions[0]);
	}
}

/* region_add(n) holds a run of n, whatever n. */
static void an_added_region_is_large_enough(void **state)
{
	static const uint32_t sizes[] = {
		1, 64, 65, 500, 4000, 4096, 4097, 8192, 10000, 64 * 4096 + 1
	};
	struct wish wish = { .align_units = 1 };
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i] * UNIT_SIZE;
		struct region *r;
		struct run run;

		heap_fresh(REGION_SIZE_LEAST);
		fake.address_limit = size + size / 32 + 16 * MIB;
		r = region_add(sizes[i]);
		assert_non_null(r);
		is_laid_out(r);
		wish.nr_units = sizes[i];
		assert_true(page_heap_take_in(r, &wish, &run));
		heap_check();
	}
	assert_null(region_add(REGION_SIZE_MOST / UNIT_SIZE));
	assert_null(region_add(SIZE_MAX / UNIT_SIZE));
}

static void the_table_has_an_end(void **state)
{
	unsigned i;

	(void)state;
	heap_fresh(REGION_SIZE_LEAST);
	fake.address_limit = REGION_SIZE_MOST;
	/* A slot whose claimer died is passed over. */
	store_relaxed(&regions[1].state, REGION_CLAIMED); // own
	for (i = 2; i < NR_REGIONS_MOST; i++)
		assert_ptr_equal(region_add(1), &regions[i]);
	assert_null(region_add(1));
	assert_ptr_equal(region_of(regions[63].base), &regions[63]);
	heap_check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_small),
		cmocka_unit_test(starts_once),
		cmocka_unit_test(start_is_cheap),
		cmocka_unit_test(threads_race_for_the_start),
		cmocka_unit_test(start_needs_no_winner),
		cmocka_unit_test(start_survives_failures),
		cmocka_unit_test(respects_small_limits),
		cmocka_unit_test(respects_the_real_limit),
		cmocka_unit_test(commits_in_steps),
		cmocka_unit_test(commits_what_is_needed),
		cmocka_unit_test(hugepage_option),
		cmocka_unit_test(adds_regions),
		cmocka_unit_test(an_added_region_is_large_enough),
		cmocka_unit_test(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
