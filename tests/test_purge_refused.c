/* Purges that the system refuses: what goes all the same, and at what price */
#include "page_heap_fixture.h"

#define NR_RUNS 640
/* Calls of a bounded walk that are refused: 128, and those of a range. */
#define REFUSALS_MOST (128 + 127)

static struct run runs[NR_RUNS];

static void lock(char *addr, size_t size)
{
	fake.locked = addr;
	fake.locked_size = size;
}

/* madvise refuses: nothing is lost, nothing loops, later it works. */
TEST(survives_refusal)
{
	struct run run;
	unsigned long calls;
	size_t purged;
	unsigned i;

	heap_keeping(0);
	heap_take_each(runs, 640);
	assert_true(page_heap_take(1000, 1, 0, &run));
	fake_fail_from(FAKE_PURGE, 1);
	heap_give_each(runs, 0, 640, 2);
	heap_give(&run);
	heap_check();
	/* One walk, and that stops; no give begins another. */
	assert_in_range(fake_calls(FAKE_PURGE), 1, REFUSALS_MOST);
	calls = fake_calls(FAKE_PURGE);
	assert_true(page_heap_take(1, 1, 0, &run));
	heap_give(&run);
	assert_int_equal(fake_calls(FAKE_PURGE), calls);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	assert_in_range(fake_calls(FAKE_PURGE), calls + 1, calls + 400);
	assert_int_equal(page_heap_dirty_size(), 1320 * UNIT_SIZE);
	heap_check();
	fake_fail_from(FAKE_PURGE, 0);
	page_heap_tick(0);
	purged = load_relaxed(&budget.purged_size); // counter
	for (i = 0; i < 1320 * UNIT_SIZE / (2 * MIB) + 1; i++) {
		assert_true(page_heap_take(1, 1, 0, &run));
		heap_give(&run);
	}
	assert_true(page_heap_dirty_size() <= budget_size());
	/* Each round may take a unit that was purged. */
	purged = load_relaxed(&budget.purged_size) - purged; // counter
	assert_in_range(purged + page_heap_dirty_size(),
			1320 * UNIT_SIZE, (1320 + i) * UNIT_SIZE);
	heap_check();
}

/* Every single refusal in turn. */
TEST(survives_each_refusal)
{
	unsigned long k;

	for (k = 1;; k++) {
		heap_keeping(KEEP_ALL);
		heap_take_each(runs, 300);
		for (unsigned i = 0; i < 300; i += 1 + i % 3)
			heap_give(&runs[i]);
		fake_fail_at(FAKE_PURGE, k);
		page_heap_purge(0, SIZE_MAX);
		heap_check();
		if (!fake_failures(FAKE_PURGE))
			break;
		page_heap_purge(0, SIZE_MAX);
		assert_int_equal(page_heap_dirty_size(), 0);
		heap_check();
	}
	assert_true(k > 50);
}

/* 512 MiB around a locked page: its hugepage stays, for one more call a walk,
 * and goes when it is unlocked. */
TEST(a_locked_page_keeps_a_hugepage)
{
	struct run run = heap_freed(64 * 256);

	lock(heap_addr(&run) + 77 * HUGEPAGE_SIZE + 4096, 4096);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 255 * HUGEPAGE_SIZE);
	/* By halves: a path of six, and what lies beside it. */
	assert_in_range(fake_calls(FAKE_PURGE), 4, 6 + 12);
	assert_int_equal(page_heap_dirty_size(), HUGEPAGE_SIZE);
	heap_check();
	fake_reset();
	lock(heap_addr(&run) + 77 * HUGEPAGE_SIZE + 4096, 4096);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 0);
	assert_int_equal(page_heap_tick(SIZE_MAX), 0);
	assert_int_equal(fake_calls(FAKE_PURGE), 1);
	assert_int_equal(page_heap_tick(SIZE_MAX), 0);
	assert_int_equal(fake_calls(FAKE_PURGE), 2);
	lock(NULL, 0);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), HUGEPAGE_SIZE);
	heap_check();
}

/* In an open hugepage the other runs go. */
TEST(a_locked_run_keeps_itself)
{
	heap_keeping(KEEP_ALL);
	heap_take_each(runs, 128);
	heap_give_each(runs, 0, 128, 4);
	lock(heap_addr(&runs[80]), 4096);
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 31 * UNIT_SIZE);
	assert_int_equal(page_heap_dirty_size(), UNIT_SIZE);
	heap_check();
}

/* A walk is bounded, and the next one goes on below: however much is locked
 * above, what lies below goes; also what is unlocked above meanwhile. */
TEST(many_locked_pages_bound_a_walk)
{
	size_t done = 0;
	unsigned i;
	struct run run = heap_freed(64 * 640);

	lock(heap_addr(&run) + 100 * HUGEPAGE_SIZE, 540 * HUGEPAGE_SIZE);
	for (i = 0; i < 10 && done < 100 * HUGEPAGE_SIZE; i++) {
		unsigned long calls = fake_calls(FAKE_PURGE);

		done += page_heap_purge(0, SIZE_MAX - 1);
		assert_true(fake_calls(FAKE_PURGE) - calls <=
			    REFUSALS_MOST + 10);
	}
	assert_int_equal(done, 100 * HUGEPAGE_SIZE);
	assert_in_range(i, 3, 10);
	heap_check();
	page_heap_purge(0, SIZE_MAX - 1);
	lock(heap_addr(&run) + 100 * HUGEPAGE_SIZE, 440 * HUGEPAGE_SIZE);
	/* Who asks for all has all tried. */
	assert_int_equal(page_heap_purge(0, SIZE_MAX), 100 * HUGEPAGE_SIZE);
	heap_check();
}

/* What cannot go does not make gives purge what the program breathes. */
TEST(refused_memory_is_beside_the_budget)
{
	unsigned long calls;
	struct run run = heap_freed(64 * 32);

	lock(heap_addr(&run), 32 * HUGEPAGE_SIZE);
	config.purge_budget = 4 * MIB;
	assert_true(page_heap_take(1, 1, 0, &runs[0]));
	heap_give(&runs[0]);
	calls = fake_calls(FAKE_PURGE);
	assert_in_range(calls, 1, REFUSALS_MOST);
	page_heap_tick(0);
	heap_take_each(runs, 64);
	heap_give_each(runs, 0, 64, 1);
	/* Tried once more after the tick. */
	assert_in_range(fake_calls(FAKE_PURGE) - calls, 1, REFUSALS_MOST);
	calls = fake_calls(FAKE_PURGE);
	store_relaxed(&budget.refused, 0); // own
	heap_take_each(runs, 64);
	heap_give_each(runs, 0, 64, 1);
	assert_int_equal(fake_calls(FAKE_PURGE), calls);
	heap_check();
}

TEST_MAIN(NULL, NULL)
