/* Take, give, extend: every level, alignments, misuse, failures */
#include "page_heap_fixture.h"
#include "promised.h"

/* Around the size of each level's granule; the first and the last page are
 * written, so that both are usable. */
TEST(every_level)
{
	static const size_t sizes[] = {
		1,    2,    63,	  64,	  65,	  127,	  128,	  4095,
		4096, 4097, 8192, 262143, 262144, 262145, 300000,
	};
	unsigned i, j, n = sizeof(sizes) / sizeof(sizes[0]);
	struct run runs[32];

	need_promise(10 * GIB);
	heap_fresh(0);
	for (i = 0; i < n; i++) {
		assert_true(page_heap_take(sizes[i], 1, 0, &runs[i]));
		assert_int_equal(runs[i].nr_units, sizes[i]);
		assert_true(runs[i].zero);
		/* The open words of all levels serve before a fresh granule
		 * of the highest is carved. */
		assert_true(runs[i].unit < 1u << 24);
		heap_addr(&runs[i])[0] = 1;
		heap_addr(&runs[i])[heap_size(&runs[i]) - 1] = 1;
		heap_check();
		for (j = 0; j < i; j++)
			assert_true(runs[j].unit + runs[j].nr_units <=
					    runs[i].unit ||
				    runs[i].unit + runs[i].nr_units <=
					    runs[j].unit);
	}
	for (i = 0; i < n; i++) {
		heap_give(&runs[i]);
		heap_check();
	}
	heap_is_empty();
}

/* A CPU alone stays alone; another one's take counts for SEVERAL_TAKES. */
TEST(takers_by_enumeration)
{
	struct taker w, next;

	for (w.id = 0; w.id < 4; w.id++)
		for (w.left = 0; w.left <= SEVERAL_TAKES; w.left++)
			for (uint32_t id = 0; id < 4; id++) {
				next = taker_next(w, id);
				assert_int_equal(next.id, id);
				assert_int_equal(next.left,
						 id != w.id ? SEVERAL_TAKES :
						 w.left	    ? w.left - 1 :
							      0);
				assert_int_equal(taker_pack(next),
						 (uint64_t)next.left << 32 |
							 id);
			}
}

/* Claims at the topmost levels; their memory is not needed for that. */
TEST(top_level)
{
	struct page_heap_count before, after;
	uint32_t half = 1u << 24, unit, other;

	heap_claims_only();
	page_heap_count(&before);
	assert_true(level_take_units(&regions[0], half, NODE_ANY, &unit));
	assert_true(level_take_units(&regions[0], half, NODE_ANY, &other));
	assert_int_equal(unit + other, half);
	assert_false(level_take_units(&regions[0], 1, NODE_ANY, &unit));
	level_release_units(&regions[0], 0, half);
	assert_true(level_take_units(&regions[0], half / 2, NODE_ANY, &unit));
	level_release_units(&regions[0], unit, half / 2);
	level_release_units(&regions[0], half, half);
	page_heap_check();
	page_heap_count(&after);
	assert_true(before.nr_free == after.nr_free);
	assert_true(level_take_units(&regions[0], half + 1, NODE_ANY, &unit));
	assert_false(level_take_units(&regions[0], half * 2, NODE_ANY, &other));
	level_release_units(&regions[0], unit, half + 1);
	assert_true(level_take_units(&regions[0], half * 2, NODE_ANY, &unit));
	level_release_units(&regions[0], unit, half * 2);
	assert_false(
		level_take_units(&regions[0], half * 2 + 1, NODE_ANY, &unit));
	page_heap_check();
}

/* What came back in pieces is found again as a whole: eagerly up to a
 * hugepage, on demand above. */
TEST(coalesces)
{
	const uint32_t n = 64 * 4096; /* 8 GiB */
	const struct search any = { .node = NODE_ANY };
	struct region *r = &regions[0];
	uint32_t unit, again, i;
	uint64_t low;

	heap_claims_only();
	config.purge_budget = KEEP_ALL;
	assert_true(level_take_units(r, n, NODE_ANY, &unit));
	low = load_relaxed(&r->levels[3].words[0]); // counter
	for (i = 0; i < n; i += 32)
		level_release_units(r, unit + (i * 5 + 32) % n, 32);
	page_heap_check();
	/* Exhaust the granules of 8 GiB, so that the pieces are needed. */
	while (level_take(r, 3, 1, 1, any, &again)) {
		if (again == unit / n)
			break;
	}
	assert_int_equal(again, unit / n);
	assert_int_equal(low & bits_one(again % 64), 0);
	page_heap_check();
}

TEST(alignments)
{
	static const size_t sizes[] = { 1, 3, 17, 64, 65, 200 };
	struct run runs[6 * 16];
	unsigned i, n = 0;

	heap_fresh(0);
	for (size_t align = 1; align <= 32768; align *= 2) {
		for (i = 0; i < 6; i++, n++) {
			assert_true(
				page_heap_take(sizes[i], align, i, &runs[n]));
			is_aligned(&runs[n], align);
			heap_addr(&runs[n])[0] = 1;
		}
		heap_check();
	}
	while (n-- > 0)
		heap_give(&runs[n]);
	heap_is_empty();
}

TEST(zero_is_true)
{
	struct run run, other;

	heap_fresh(0);
	assert_true(page_heap_take(4, 1, 0, &other));
	assert_true(page_heap_take(3, 1, 0, &run));
	assert_true(run.zero);
	memset(heap_addr(&run), 1, heap_size(&run));
	heap_give(&run);
	assert_true(page_heap_take(3, 1, 0, &run));
	assert_false(run.zero);
	heap_give(&run);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 3 * UNIT_SIZE);
	assert_true(page_heap_take(3, 1, 0, &run));
	assert_true(run.zero);
	assert_int_equal(*heap_addr(&run), 0);
	heap_give(&run);
	heap_give(&other);
	heap_check();
}

TEST(refuses_nonsense)
{
	struct run run;

	heap_fresh(0);
	assert_false(page_heap_take(SIZE_MAX, 1, 0, &run));
	assert_false(page_heap_take(SIZE_MAX / UNIT_SIZE, 1, 0, &run));
	assert_false(page_heap_take(1, (size_t)1 << 40, 0, &run));
	assert_false(page_heap_take(REGION_SIZE_MOST / UNIT_SIZE, 1, 0, &run));
	heap_check();
}

/* Small runs first fill the hugepages that are in use. */
TEST(fills_the_fullest)
{
	struct run runs[256], run;

	heap_fresh(0);
	for (unsigned i = 0; i < 256; i++)
		assert_true(page_heap_take(1, 1, i, &runs[i]));
	/* Hugepage 1 has many gaps of one unit, 2 has one large gap. */
	heap_give_each(runs, 64, 128, 2);
	heap_give_each(runs, 140, 180, 1);
	for (unsigned i = 0; i < 32; i++) {
		assert_true(page_heap_take(1, 1, 63 - i, &run));
		assert_int_equal(run.unit / 64, runs[64].unit / 64);
	}
	assert_true(page_heap_take(2, 1, 5, &run));
	assert_int_equal(run.unit / 64, runs[128].unit / 64);
	heap_check();
}

TEST(dirty_units_first)
{
	struct run a, b, c, run;

	heap_fresh(0);
	assert_true(page_heap_take(8, 1, 0, &a));
	assert_true(page_heap_take(8, 1, 0, &b));
	assert_true(page_heap_take(8, 1, 0, &c));
	heap_give(&a);
	page_heap_purge(0, SIZE_MAX);
	heap_give(&b);
	assert_true(page_heap_take(8, 1, 0, &run));
	assert_int_equal(run.unit, b.unit);
	assert_true(page_heap_take(8, 1, 0, &run));
	assert_int_equal(run.unit, a.unit);
}

/* A CPU that went on to another hugepage comes back to units that are
 * resident: in one that is open, and in one that is free as a whole. Hints
 * of hugepages that have none are passed over. */
TEST(dirty_units_before_near_ones)
{
	struct run low, near, other, run;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(HUGEPAGE_UNITS, HUGEPAGE_UNITS, 0, &low));
	assert_true(page_heap_take(1, HUGEPAGE_UNITS, 0, &near));
	assert_true(near.unit / HUGEPAGE_UNITS != low.unit / HUGEPAGE_UNITS);
	page_heap_give(low.region, low.unit + 5, 8);
	assert_true(page_heap_take(4, 1, 0, &run));
	assert_int_equal(run.unit, low.unit + 5);
	assert_false(run.zero);
	assert_true(page_heap_take(5, 1, 0, &other));
	assert_true(other.zero);
	heap_give(&other);
	heap_give(&run);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 13 * UNIT_SIZE);
	page_heap_give(low.region, low.unit, 5);
	page_heap_give(low.region, low.unit + 13, HUGEPAGE_UNITS - 13);
	assert_true(page_heap_take(20, 1, 0, &run));
	assert_int_equal(run.unit, low.unit + 13);
	assert_false(run.zero);
	heap_give(&run);
	heap_give(&near);
	heap_is_empty();
}

/* Hugepages below that were given and taken again hide no resident unit. */
TEST(old_hints_hide_nothing)
{
	enum { OLD = 20, NR = 30 };
	static struct run all[64 * OLD], dirty[64], rest[20];
	struct run run;

	heap_keeping(KEEP_ALL);
	for (unsigned i = 0; i < 64 * OLD; i++)
		assert_true(page_heap_take(1, 1, 1, &all[i]));
	heap_give_each(all, 0, 64 * OLD, 1);
	for (unsigned i = 0; i < 64 * OLD; i++)
		assert_true(page_heap_take(1, 1, 1, &all[i]));
	for (unsigned i = 0; i < 64; i++)
		assert_true(page_heap_take(1, 1, 1, &dirty[i]));
	for (unsigned i = 0; i < 20; i++)
		assert_true(page_heap_take(1, 1, 1, &rest[i]));
	heap_give_each(dirty, 0, NR, 1);
	for (unsigned i = 0; i < NR; i++) {
		assert_true(page_heap_take(1, 1, 1, &run));
		assert_false(run.zero);
	}
	heap_check();
}

/* Where CPUs take in turn, each begins with its own hugepage; one alone goes
 * back to the lowest after some takes. */
TEST(several_keep_apart)
{
	struct run whole[2], one, run;

	heap_keeping(KEEP_ALL);
	for (unsigned i = 0; i < 2; i++)
		assert_true(page_heap_take(HUGEPAGE_UNITS, HUGEPAGE_UNITS, i,
					   &whole[i]));
	for (unsigned i = 0; i < 2; i++) {
		page_heap_give(whole[i].region, whole[i].unit, 32);
		assert_true(page_heap_take(16, HUGEPAGE_UNITS, i, &one));
		assert_int_equal(one.unit, whole[i].unit);
	}
	for (unsigned i = 0; i < 8; i++) {
		assert_true(page_heap_take(1, 1, i % 2, &run));
		assert_int_equal(run.unit / HUGEPAGE_UNITS,
				 whole[i % 2].unit / HUGEPAGE_UNITS);
		assert_false(run.zero);
	}
	for (unsigned i = 0; i <= SEVERAL_TAKES; i++) {
		assert_true(page_heap_take(1, 1, 1, &run));
		heap_give(&run);
	}
	assert_int_equal(run.unit / HUGEPAGE_UNITS,
			 whole[0].unit / HUGEPAGE_UNITS);
	heap_check();
}

TEST(extends)
{
	struct run a, b;
	uint32_t n;

	need_promise(10 * GIB);
	heap_fresh(0);
	assert_true(page_heap_take(10, 1, 0, &a));
	assert_true(page_heap_try_extend(a.region, a.unit, 10, 5));
	heap_check();
	assert_true(page_heap_take(1, 1, 0, &b));
	assert_int_equal(b.unit, a.unit + 15);
	assert_false(page_heap_try_extend(a.region, a.unit, 15, 1));
	assert_false(page_heap_try_extend(a.region, a.unit, 15, 5000));
	heap_check();
	heap_give(&b);
	/* Over the ends of hugepages and of every kind of granule. */
	for (n = 15; n < 300000; n = n * 2 + 1) {
		assert_true(page_heap_try_extend(a.region, a.unit, n, n + 1));
		region_addr(a.region, a.unit + 2 * n)[UNIT_SIZE - 1] = 1;
		heap_check();
	}
	assert_false(page_heap_try_extend(a.region, a.unit, n, 1u << 25));
	assert_false(page_heap_try_extend(a.region, a.unit, n, UINT32_MAX));
	fake_fail_from(FAKE_MAP, 1);
	assert_false(page_heap_try_extend(a.region, a.unit, n, n));
	heap_check();
	page_heap_give(a.region, a.unit, n);
	heap_is_empty();
}

TEST(gives_pieces)
{
	struct run run;

	heap_fresh(0);
	assert_true(page_heap_take(10000, 1, 0, &run));
	for (uint32_t i = 0; i < 10000; i += 100) {
		page_heap_give(run.region, run.unit + i, 30);
		heap_check();
	}
	for (uint32_t i = 0; i < 10000; i += 100)
		page_heap_give(run.region, run.unit + i + 30, 70);
	heap_is_empty();
}

/* Functions of their own, as longjmp and inlining do not mix. */
static __attribute__((noinline)) bool give_aborts(const struct run *run)
{
	return fake_aborts(heap_give(run));
}

static __attribute__((noinline)) bool check_aborts(void)
{
	return fake_aborts(page_heap_check());
}

TEST(sees_double_gives)
{
	struct run runs[3], large;

	heap_fresh(0);
	assert_true(page_heap_take(2, 1, 0, &runs[0]));
	assert_true(page_heap_take(2, 1, 0, &runs[1]));
	assert_true(page_heap_take(500, 1, 0, &large));
	fake.quiet = true;
	heap_give(&runs[0]);
	assert_true(give_aborts(&runs[0]));
	assert_non_null(strstr(fake_text(), "pages given back twice, at "));
	heap_fresh(0);
	assert_true(page_heap_take(2, 1, 0, &runs[0]));
	heap_give(&runs[0]);
	fake.quiet = true;
	/* Its hugepage is closed again. */
	assert_true(give_aborts(&runs[0]));
	heap_fresh(0);
	assert_true(page_heap_take(500, 1, 0, &large));
	heap_give(&large);
	fake.quiet = true;
	assert_true(give_aborts(&large));
}

TEST(check_sees_damage)
{
	struct region *r = &regions[0];
	struct run run;
	uint32_t h;

	heap_fresh(0);
	assert_true(page_heap_take(2, 1, 0, &run));
	h = run.unit / 64;
	fake.quiet = true;
	or_relaxed(&r->levels[0].words[h + 1], 1); // own
	assert_true(check_aborts());
	store_relaxed(&r->levels[0].words[h + 1], 0); // own
	page_heap_check();
	/* Beyond what growers took. */
	or_relaxed(&r->levels[1].words[1], 1); // own
	assert_true(check_aborts());
	store_relaxed(&r->levels[1].words[1], 0); // own
	page_heap_check();
	or_relaxed(&r->levels[1].words[0], bits_one(4)); // own
	assert_true(check_aborts());
	heap_fresh(0);
	fake.quiet = true;
	store_relaxed(&r->dirty[9], 1);	    // own
	store_relaxed(&r->nr_used, 64 * 9); // own
	store_relaxed(&r->nr_taken, 6400);  // own
	assert_true(check_aborts());
	heap_fresh(0);
	fake.quiet = true;
	store_relaxed(&r->nr_used, 65);	 // own
	store_relaxed(&r->nr_taken, 64); // own
	assert_true(check_aborts());
}

/* Hints that died with their threads do not lose memory. */
TEST(survives_lost_hints)
{
	struct run runs[2000], run;
	unsigned n, i, l;

	heap_small(32 * MIB);
	assert_true(page_heap_take(1, 1, 0, &runs[0]));
	fake_fail_from(FAKE_MAP, 1);
	for (n = 1; page_heap_take(1, 1, 0, &runs[n]); n++)
		;
	assert_true(n > 150);
	heap_give_each(runs, 0, n, 2);
	for (l = 0; l < NR_LEVELS - 1; l++) {
		struct level *level = &regions[0].levels[l];

		for (i = 0; i < FREE_INDEX_LINE * level[1].nr_words; i++)
			store_relaxed(&level->free_index[i], 0); // own
		for (i = 0; i <= FREE_INDEX_LINE * level->nr_summary; i++)
			store_relaxed(&level->free_index_summary[i], 0); // own
	}
	memset(preferred, 0, sizeof(preferred));
	for (i = 0; i < n; i += 2)
		assert_true(page_heap_take(1, 1, 0, &runs[i]));
	assert_false(page_heap_take(1, 1, 0, &run));
	page_heap_check();
}

/* Each system call of some work fails in turn: the heap stays intact, and
 * afterwards the same work succeeds. */
static bool some_work(void)
{
	static const size_t sizes[] = { 1, 64, 3000, 70, 9000 };
	struct run runs[5];
	bool all = true;

	for (unsigned i = 0; i < 5; i++) {
		runs[i].nr_units = 0;
		if (!page_heap_take(sizes[i], 1, 0, &runs[i])) {
			runs[i].nr_units = 0;
			all = false;
			continue;
		}
		heap_addr(&runs[i])[heap_size(&runs[i]) - 1] = 1;
	}
	heap_check();
	for (unsigned i = 0; i < 5; i++) {
		if (runs[i].nr_units)
			heap_give(&runs[i]);
	}
	heap_check();
	page_heap_purge(0, SIZE_MAX);
	heap_check();
	return all;
}

TEST(survives_failures)
{
	unsigned long k;
	unsigned nr_failed = 0;

	for (k = 1;; k++) {
		heap_fresh(0);
		fake_reset();
		fake_fail_at(FAKE_ANY, k);
		some_work();
		if (fake_calls(FAKE_ANY) < k)
			break;
		heap_fresh(0);
		fake_reset();
		fake_fail_from(FAKE_ANY, k);
		nr_failed += !some_work();
		fake_fail_from(FAKE_ANY, 0);
		assert_true(some_work());
		heap_check();
	}
	assert_true(k > 10 && nr_failed > 5);
}

/* Before anything: take starts the region. */
TEST(starts_by_itself)
{
	struct run run;

	heap_forget();
	fake_fail_from(FAKE_MAP, 1);
	assert_false(page_heap_take(1, 1, 0, &run));
	fake_fail_from(FAKE_MAP, 0);
	assert_true(page_heap_take(1, 1, 0, &run));
	heap_check();
}

TEST(stats_add_up)
{
	struct page_heap_stats stats;
	struct run a, b;

	heap_fresh(0);
	assert_true(page_heap_take(100, 1, 0, &a));
	assert_true(page_heap_take(30, 1, 0, &b));
	heap_give(&b);
	page_heap_stats(&stats);
	assert_int_equal(stats.reserved_size, REGION_SIZE_MOST);
	assert_int_equal(stats.claimed_size, 100 * UNIT_SIZE);
	assert_int_equal(stats.free_dirty_size, 30 * UNIT_SIZE);
	assert_int_equal(stats.claimed_size + stats.free_dirty_size +
				 stats.free_clean_size,
			 stats.committed_size);
	assert_int_equal(stats.purged_size, 0);
	assert_true(stats.metadata_size < MIB);
	page_heap_purge(0, SIZE_MAX);
	page_heap_stats(&stats);
	assert_int_equal(stats.purged_size, 30 * UNIT_SIZE);
	assert_int_equal(stats.nr_purges, 1);
	assert_int_equal(stats.free_dirty_size, 0);
	assert_int_equal(stats.budget_size,
			 config.purge_budget + 100 * UNIT_SIZE / 128);
}

TEST_MAIN(NULL, NULL)
