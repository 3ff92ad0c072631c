/* Purge, budget, regret, tick: what goes back to the system, and when */
#include "page_heap_fixture.h"

#define NR_RUNS 3200 /* of a hundred MiB in units */

static struct run runs[NR_RUNS];

#define PIECE_MOST (2 * MIB) /* for one unit */

/* No claimed unit is ever purged; what was purged reads as zero. */
TEST(purges_exactly)
{
	heap_keeping(KEEP_ALL);
	memset(runs, 0, sizeof(runs));
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < 100; i++) {
			struct run *run = &runs[heap_random() % 200];

			if (run->nr_units) {
				heap_give(run);
				run->nr_units = 0;
				continue;
			}
			assert_true(page_heap_take(heap_random() % 150 + 1, 1,
						   0, run));
			if (run->zero)
				assert_true(is_zero(heap_addr(run), 4096));
			*heap_addr(run) = 1;
			heap_addr(run)[heap_size(run) - 1] = 1;
		}
		page_heap_purge(0, heap_random() % (64 * MIB));
		for (unsigned i = 0; i < 200; i++) {
			if (!runs[i].nr_units)
				continue;
			assert_int_equal(*heap_addr(&runs[i]), 1);
			assert_int_equal(
				heap_addr(&runs[i])[heap_size(&runs[i]) - 1],
				1);
		}
		heap_check();
	}
	assert_true(load_relaxed(&budget.purged_size) > 0); // counter
}

TEST(purged_ranges_are_the_free_ones)
{
	heap_keeping(KEEP_ALL);
	heap_take_each(runs, 640);
	heap_give_each(runs, 0, 640, 3);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 214 * UNIT_SIZE);
	assert_int_equal(fake_purged_size(), 214 * UNIT_SIZE);
	for (unsigned i = 0; i < 640; i++)
		assert_int_equal(fake_purge_touched(heap_addr(&runs[i]), 1),
				 i % 3 == 0);
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	heap_check();
}

/* Free hugepages side by side are one call. */
TEST(neighbours_are_one_call)
{
	struct run run = heap_freed(64 * 40);

	/* High addresses go first, no more of them than is wanted. */
	assert_int_equal(page_heap_purge(0, 9 * HUGEPAGE_SIZE + MIB),
			 9 * HUGEPAGE_SIZE + MIB);
	assert_int_equal(fake_calls(FAKE_PURGE), 2);
	assert_ptr_equal(fake_purged(0).addr,
			 heap_addr(&run) + 31 * HUGEPAGE_SIZE);
	assert_int_equal(fake_purged(0).size, 9 * HUGEPAGE_SIZE);
	assert_ptr_equal(fake_purged(1).addr,
			 heap_addr(&run) + 30 * HUGEPAGE_SIZE + MIB);
	assert_int_equal(page_heap_purge(5 * HUGEPAGE_SIZE, SIZE_MAX),
			 26 * HUGEPAGE_SIZE - MIB);
	assert_int_equal(fake_calls(FAKE_PURGE), 3);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 5 * HUGEPAGE_SIZE);
	assert_int_equal(fake_calls(FAKE_PURGE), 4);
	heap_check();
}

/* What is clean or in use ends a range. */
TEST(ranges_end_at_what_is_live)
{
	struct run run, part;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(64 * 40, 1, 0, &run));
	part = run;
	part.nr_units = 64;
	for (unsigned i = 0; i < 40; i++) {
		part.unit = run.unit + i * 64;
		if (i != 7 && i != 30)
			heap_give(&part);
	}
	memset(heap_addr(&run) + 7 * HUGEPAGE_SIZE, 7, HUGEPAGE_SIZE);
	memset(heap_addr(&run) + 30 * HUGEPAGE_SIZE, 7, HUGEPAGE_SIZE);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 38 * HUGEPAGE_SIZE);
	assert_int_equal(fake_calls(FAKE_PURGE), 3);
	for (unsigned i = 0; i < 40; i++) {
		if (i == 7 || i == 30)
			assert_int_equal(heap_addr(&run)[i * HUGEPAGE_SIZE], 7);
	}
	part.unit = run.unit + 7 * 64;
	heap_give(&part);
	part.unit = run.unit + 30 * 64;
	heap_give(&part);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 2 * HUGEPAGE_SIZE);
	assert_int_equal(fake_calls(FAKE_PURGE), 5);
	heap_check();
}

/* A hugepage may be resident where one unit of it was touched. */
TEST(clean_neighbours_go_along)
{
	static const unsigned unit[] = { 1, 2, 0 }, nr[] = { 1, 63, 64 };
	struct run run, part;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(3, 64, 0, &run));
	part = run;
	part.nr_units = 1;
	/* The middle one alone; the last one and 61 that nobody had; the first
	 * and thereby the whole hugepage. */
	for (unsigned i = 0; i < 3; i++) {
		part.unit = run.unit + unit[i];
		heap_give(&part);
		assert_int_equal(page_heap_purge(0, SIZE_MAX), UNIT_SIZE);
		assert_int_equal(fake_purged(i).size, nr[i] * UNIT_SIZE);
	}
	assert_int_equal(fake_nr_purged(), 3);
	heap_check();
}

/* Free runs of 128 MiB and more lie in closed granules of higher levels. */
TEST(purges_what_is_coalesced)
{
	struct run run = heap_freed(4096 * 5);

	heap_check();
	assert_int_equal(page_heap_purge(100 * MIB, SIZE_MAX), 540 * MIB);
	assert_int_equal(fake_calls(FAKE_PURGE), 5);
	heap_check();
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 100 * MIB);
	assert_int_equal(fake_calls(FAKE_PURGE), 6);
	heap_check();
	assert_true(page_heap_take(4096 * 5, 1, 0, &run));
	assert_true(run.zero);
	heap_check();
}

TEST(respects_the_bounds)
{
	size_t most;

	heap_freed(3200);
	for (most = 0; most < 4 * MIB; most += 3 * UNIT_SIZE) {
		assert_int_equal(page_heap_purge(0, most), most);
		heap_check();
	}
	most = page_heap_dirty_size();
	assert_int_equal(page_heap_purge(most, SIZE_MAX), 0);
	assert_true(page_heap_purge(most - 1, SIZE_MAX) <= HUGEPAGE_SIZE);
	heap_check();
}

/* The same for units that a thread claimed and gives back unused. */
TEST(unused_surplus_is_hinted)
{
	struct region *r = &regions[0];
	struct run run = heap_freed(5 * 64);

	assert_true(level_try_claim_units(r, run.unit, 5 * 64));
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	level_release_units(r, run.unit, 5 * 64);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 5 * HUGEPAGE_SIZE);
	heap_check();
}

/* A purger that comes by while a thread holds a dirty hugepage finds nothing
 * there; who opens the hugepage says again that it is dirty. */
TEST(hints_return)
{
	struct region *r = &regions[0];
	uint32_t h;
	struct run run = heap_freed(64);

	h = run.unit / 64;
	assert_true(level_try_claim(r, 1, h / 64, bits_one(h % 64)));
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	level_release(r, 1, h / 64, bits_one(h % 64));
	assert_true(page_heap_take(1, 1, 0, &run));
	assert_int_equal(run.unit / 64, h);
	heap_check();
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 63 * UNIT_SIZE);
}

TEST(pages_of_64_kib)
{
	heap_forget();
	fake.page_size = 65536;
	assert_true(region_start());
	config.purge_budget = KEEP_ALL;
	heap_take_each(runs, 512);
	for (unsigned i = 0; i < 512; i++) {
		if (i % 4 != 1)
			heap_give(&runs[i]);
	}
	/* Units 2 and 3 of each four are a page; unit 0 is half a page. */
	assert_int_equal(page_heap_purge(0, 3 * UNIT_SIZE), 2 * UNIT_SIZE);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 254 * UNIT_SIZE);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(fake_purge_touched(heap_addr(&runs[i]), 1),
				 i % 4 >= 2);
	assert_int_equal(fake_failures(FAKE_PURGE), 0);
	assert_int_equal(page_heap_dirty_size(), 128 * UNIT_SIZE);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	heap_give_each(runs, 1, 512, 4);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 256 * UNIT_SIZE);
	assert_int_equal(page_heap_dirty_size(), 0);
	page_heap_check();
}

TEST(the_budget_holds)
{
	heap_keeping(4 * MIB);
	heap_take_each(runs, NR_RUNS);
	for (unsigned i = 0; i < NR_RUNS; i++) {
		heap_give(&runs[i]);
		assert_true(page_heap_dirty_size() <= budget_size());
	}
	assert_true(page_heap_dirty_size() >= MIB);
	assert_true(page_heap_dirty_size() <= 4 * MIB);
	heap_check();
}

/* What one small give purges is bounded, however much is beyond the budget. */
TEST(a_give_purges_a_piece)
{
	struct run large, small;
	size_t before, done = 0;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(1, 1, 0, &small));
	assert_true(page_heap_take(3200, HUGEPAGE_UNITS, 0, &large));
	heap_give(&large);
	config.purge_budget = 0;
	while (page_heap_dirty_size() > MIB) {
		before = fake_purged_size();
		heap_give(&small);
		done = fake_purged_size() - before;
		assert_in_range(done, UNIT_SIZE, PIECE_MOST);
		assert_true(page_heap_take(1, 1, 0, &small));
	}
	/* In proportion to what a large one gives. */
	config.purge_budget = KEEP_ALL;
	fake_now_ms += 1000;
	assert_true(page_heap_take(3200, 1, 0, &large));
	heap_give(&large);
	assert_true(page_heap_take(480, 1, 0, &large));
	config.purge_budget = 0;
	before = fake_purged_size();
	heap_give(&large);
	done = fake_purged_size() - before;
	assert_in_range(done, PIECE_MOST + 1, 60 * MIB);
	heap_check();
}

/* Pieces, too, leave hugepages that are free as a whole in one piece: each goes
 * by one call, also behind one of which less was left. */
TEST(pieces_are_whole_hugepages)
{
	struct run small, large, part;
	size_t before;

	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(1, 1, 0, &small));
	assert_true(page_heap_take(64 * 9, 64, 0, &large));
	part = large;
	part.nr_units = 64 * 8 + 10;
	heap_give(&part);
	config.purge_budget = 0;
	for (unsigned i = 0; page_heap_dirty_size() > MIB; i++) {
		before = fake_purged_size();
		heap_give(&small);
		assert_in_range(fake_purged_size() - before, PIECE_MOST / 4,
				PIECE_MOST * 5 / 4);
		assert_true(page_heap_take(1, 1, 0, &small));
	}
	for (unsigned i = 1; i < 9; i++)
		assert_int_equal(fake_purged(i).size, HUGEPAGE_SIZE);
	heap_check();
}

/* Where there is nothing to purge although the counter says so, gives stop
 * looking for it until the next tick. */
TEST(a_vain_purge_is_not_repeated)
{
	heap_forget();
	fake.page_size = 65536;
	assert_true(region_start());
	config.purge_budget = KEEP_ALL;
	heap_take_each(runs, 512);
	/* Halves of pages, more than an eighth of what stays claimed. */
	heap_give_each(runs, 1, 512, 4);
	config.purge_budget = 0;
	heap_give(&runs[3]);
	/* From here on each give would find its page and those before. */
	for (unsigned i = 6; i < 256; i += 4) {
		heap_give(&runs[i]);
		heap_give(&runs[i + 1]);
	}
	assert_int_equal(fake_calls(FAKE_PURGE), 0);
	page_heap_tick(0);
	heap_give(&runs[258]);
	heap_give(&runs[259]);
	assert_true(fake_calls(FAKE_PURGE) > 1);
	page_heap_check();
}

TEST(a_live_heap_keeps_more)
{
	struct run live, run;

	heap_keeping(4 * MIB);
	assert_true(page_heap_take(8 * NR_RUNS, 1, 0, &live));
	assert_true(page_heap_take(NR_RUNS / 13, 1, 0, &run));
	heap_give(&run);
	assert_int_equal(fake_calls(FAKE_PURGE), 0);
	heap_give(&live);
	assert_true(page_heap_dirty_size() <= 4 * MIB);
}

static void breathe(uint32_t size, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		assert_true(page_heap_take(size, 1, i, &runs[i]));
	heap_give_each(runs, 0, nr, 1);
}

/* After a few breaths there is neither a purge nor clean memory. */
TEST(breathing_settles)
{
	static const uint32_t sizes[] = { 1, 7, 64, 100, 3200 };

	for (unsigned i = 0; i < 5; i++) {
		uint32_t n = NR_RUNS / sizes[i];
		uint64_t regret;

		heap_keeping(4 * MIB);
		for (unsigned round = 0; round < 10; round++) {
			breathe(sizes[i], n);
			fake_now_ms += 10;
		}
		regret = load_relaxed(&budget.regret_size); // counter
		fake_reset();
		for (unsigned round = 0; round < 20; round++)
			breathe(sizes[i], n);
		assert_int_equal(fake_calls(FAKE_PURGE), 0);
		assert_true(load_relaxed(&budget.regret_size) ==
			    regret); // counter
		assert_true(budget_size() < 200 * MIB);
		heap_check();
	}
}

/* What it learned is forgotten in quiet time. */
TEST(quiet_halves_the_bonus)
{
	heap_keeping(4 * MIB);
	for (unsigned i = 0; i < 10; i++)
		breathe(1, NR_RUNS);
	assert_true(page_heap_dirty_size() > 90 * MIB);
	page_heap_tick(0);
	for (unsigned i = 0; i < 8; i++) {
		size_t bonus = load_relaxed(&budget.bonus_size); // hint

		page_heap_tick(0);
		assert_int_equal(load_relaxed(&budget.bonus_size), // hint
				 bonus / 2);
	}
	/* A piece at each give. */
	for (unsigned i = 0; i < 100 * MIB / PIECE_MOST; i++)
		breathe(1, 1);
	assert_true(page_heap_dirty_size() <= 5 * MIB);
}

TEST(late_wants_are_no_regret)
{
	heap_keeping(4 * MIB);
	breathe(1, NR_RUNS);
	fake_now_ms += 1000;
	breathe(1, NR_RUNS);
	assert_int_equal(load_relaxed(&budget.regret_size), 0); // counter
	breathe(1, NR_RUNS);
	assert_true(load_relaxed(&budget.regret_size) > 90 * MIB);  // counter
	assert_true(load_relaxed(&budget.bonus_size) <= 164 * MIB); // hint
}

TEST(fresh_memory_is_no_regret)
{
	struct run run;

	heap_keeping(0);
	assert_true(page_heap_take(100, 1, 0, &run));
	heap_give(&run);
	assert_true(fake_calls(FAKE_PURGE) > 0);
	assert_true(page_heap_take(100, 1, 0, &run));
	assert_int_equal(load_relaxed(&budget.regret_size), // counter
			 100 * UNIT_SIZE);
	assert_true(page_heap_take(5000, 1, 0, &run));
	assert_true(load_relaxed(&budget.regret_size) <= // counter
		    200 * UNIT_SIZE);
}

/* A tick gives back what lay unused since the one before, no more. */
TEST(tick_purges_the_unused)
{
	heap_keeping(KEEP_ALL);
	breathe(1, 3200);
	assert_int_equal(page_heap_tick(SIZE_MAX), 0);
	/* 1000 units stay in use on and off, 2200 lie. */
	for (unsigned i = 0; i < 5; i++)
		breathe(1, 1000);
	assert_int_equal(page_heap_tick(SIZE_MAX), 2200 * UNIT_SIZE);
	breathe(1, 400);
	assert_int_equal(page_heap_tick(SIZE_MAX), 600 * UNIT_SIZE);
	assert_int_equal(page_heap_tick(100 * UNIT_SIZE), 100 * UNIT_SIZE);
	assert_int_equal(page_heap_tick(SIZE_MAX), 300 * UNIT_SIZE);
	assert_int_equal(page_heap_tick(SIZE_MAX), 0);
	assert_int_equal(page_heap_dirty_size(), 0);
	heap_check();
}

static _Atomic(uint32_t) user_is_done;

static void *purge_thread(void *arg)
{
	for (unsigned i = 0; !load_relaxed(&user_is_done); i++) // hint
		page_heap_purge((i % 7) * MIB, SIZE_MAX);
	return arg;
}

/* Purgers beside a thread that writes: its memory stays. */
static void use_beside_purgers(uint32_t units_most, unsigned nr_steps)
{
	pthread_t purgers[2];

	memset(runs, 0, sizeof(runs));
	store_relaxed(&user_is_done, 0); // before publish
	threads_start(purgers, 2, purge_thread);
	for (unsigned i = 0; i < nr_steps; i++) {
		struct run *run = &runs[heap_random() % 60];
		size_t *words;

		if (run->nr_units) {
			words = (void *)heap_addr(run);
			for (unsigned j = 0; j < run->nr_units; j++)
				assert_true(words[j * UNIT_SIZE / 8] ==
					    (size_t)run);
			heap_give(run);
			run->nr_units = 0;
			continue;
		}
		assert_true(page_heap_take(heap_random() % units_most + 1, 1,
					   0, run));
		words = (void *)heap_addr(run);
		for (unsigned j = 0; j < run->nr_units; j++) {
			assert_true(!run->zero || !words[j * UNIT_SIZE / 8]);
			words[j * UNIT_SIZE / 8] = (size_t)run;
		}
	}
	store_relaxed(&user_is_done, 1); // hint
	threads_join(purgers, 2);
	heap_check();
}

/* Runs of a few units, of hugepages, and some that are huge. */
TEST(purgers_and_a_user)
{
	heap_keeping(KEEP_ALL);
	use_beside_purgers(4, 100000);
	heap_keeping(KEEP_ALL);
	use_beside_purgers(300, 2000);
	heap_keeping(4 * MIB);
	use_beside_purgers(1500, 400);
}

TEST_MAIN(NULL, NULL)
