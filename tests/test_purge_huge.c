/* Runs so large that they go back as they are freed; long walks end early */
#include <unistd.h>

#include "page_heap_fixture.h"
#include "promised.h"

#include "system/helper.h"

static bool is_marked(const struct run *run)
{
	uint32_t h = run->unit / 64, end = (run->unit + run->nr_units - 1) / 64;

	for (; h <= end; h++) {
		if (load_relaxed(&run->region->dirty[h])) // own
			return true;
	}
	return false;
}

/* A run beyond any budget: one call, while it is held. */
TEST(a_huge_run_is_one_call)
{
	struct run run;

	heap_keeping(4 * MIB);
	assert_true(page_heap_take(1 << 15, 1, 0, &run));
	*heap_addr(&run) = 1;
	heap_addr(&run)[heap_size(&run) - 1] = 1;
	assert_false(is_marked(&run));
	heap_give(&run);
	assert_int_equal(fake_calls(FAKE_PURGE), 1);
	assert_ptr_equal(fake_purged(0).addr, heap_addr(&run));
	assert_int_equal(fake_purged(0).size, heap_size(&run));
	assert_false(is_marked(&run));
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(budget_claimed_size(), 0);
	heap_check();
	assert_true(page_heap_take(1 << 15, 1, 0, &run));
	assert_true(run.zero);
	assert_true(is_zero(heap_addr(&run), 4096));
	assert_int_equal(heap_addr(&run)[heap_size(&run) - 1], 0);
	assert_true(load_relaxed(&budget.regret_size) > 0); // counter
	heap_check();
}

/* What was marked before is not marked afterwards. */
TEST(a_huge_run_that_was_dirty_is_clean)
{
	struct run run, tail;

	need_promise(3 * GIB);
	heap_keeping(KEEP_ALL);
	assert_true(page_heap_take(64 * 1001, 1, 0, &run));
	tail = run;
	tail.unit += 64;
	tail.nr_units -= 64;
	*heap_addr(&tail) = 1;
	heap_give(&tail);
	assert_int_equal(page_heap_dirty_size(), heap_size(&tail));
	assert_true(is_marked(&tail));
	assert_true(page_heap_try_extend(run.region, run.unit, 64, 64 * 1000));
	assert_int_equal(page_heap_dirty_size(), 0);
	config.purge_budget = 0;
	heap_give(&tail);
	assert_int_equal(fake_calls(FAKE_PURGE), 1);
	assert_false(is_marked(&tail));
	heap_check();
}

/* Its ends are parts of hugepages, where others live: they go along, the others
 * stay as they are. */
TEST(a_huge_runs_ends_go_along)
{
	struct run run, part;

	heap_keeping(4 * MIB);
	assert_true(page_heap_take(64 * 100, 1, 0, &run));
	memset(heap_addr(&run), 1, heap_size(&run));
	part = run;
	part.unit += 60;
	part.nr_units -= 60 + 63;
	heap_give(&part);
	assert_int_equal(fake_calls(FAKE_PURGE), 1);
	assert_int_equal(fake_purged(0).size, heap_size(&part));
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(heap_addr(&run)[60 * UNIT_SIZE - 1], 1);
	assert_int_equal(heap_addr(&run)[heap_size(&run) - 63 * UNIT_SIZE], 1);
	heap_check();
}

/* Refused, it is given as any other run is. */
TEST(a_huge_run_is_refused)
{
	struct run run;

	need_promise(3 * GIB);
	heap_keeping(4 * MIB);
	assert_true(page_heap_take(64 * 1024, 1, 0, &run));
	memset(heap_addr(&run), 1, MIB);
	fake.locked = heap_addr(&run) + 4096;
	fake.locked_size = 4096;
	heap_give(&run);
	assert_in_range(fake_calls(FAKE_PURGE), 2, 40);
	assert_true(page_heap_dirty_size() >= HUGEPAGE_SIZE);
	assert_true(page_heap_dirty_size() <= 6 * MIB);
	heap_check();
	assert_true(is_marked(&run));
}

/* However much the program breathes, half of main memory is not kept, and not
 * missed. */
TEST(half_of_memory_is_not_kept)
{
	struct run run, again;

	for (unsigned i = 0; i < 3; i++) {
		size_t n = (i ? 640 * MIB : 512 * MIB) / UNIT_SIZE;

		heap_keeping(i == 2 ? 2 * GIB : 4 * MIB);
		fake.memory_size = GIB;
		store_relaxed(&budget.bonus_size, 100 * GIB); // own
		assert_true(page_heap_take(n, 1, 0, &run));
		heap_give(&run);
		assert_int_equal(fake_calls(FAKE_PURGE), i == 1);
		assert_true(page_heap_take(n, 1, 0, &again));
		assert_int_equal(again.unit, run.unit);
		assert_int_equal(load_relaxed(&budget.regret_size), 0); // own
	}
}

/* setuid() and the like wait for the helper: it leaves the rest of its work
 * after a piece of it, of a word of level 1 at most. Who trims goes on. */
TEST(stops_for_who_waits)
{
	size_t piece = 64 * HUGEPAGE_SIZE, left;
	uint32_t token;
	bool was;

	heap_freed(5 * piece / UNIT_SIZE);
	page_heap_tick(SIZE_MAX); /* nothing was unused for a tick before */
	helper_prepare();
	config.purge_budget = 0;
	token = helper_forbid(&was);
	assert_int_equal(token, getpid());
	assert_in_range(purge_requested(), 1, piece);
	assert_in_range(page_heap_tick(SIZE_MAX), 1, piece);
	left = page_heap_dirty_size();
	assert_true(left >= 3 * piece);
	assert_int_equal(page_heap_purge(left - piece - 1, SIZE_MAX),
			 piece + HUGEPAGE_SIZE);
	helper_allow(token);
	assert_true(purge_requested() >= piece);
	assert_int_equal(page_heap_dirty_size(), 0);
}

/* But who passes does all of it, as long as the helper may not be. */
TEST(goes_on_in_who_passes)
{
	size_t piece = 64 * HUGEPAGE_SIZE;
	uint32_t token;
	bool was;

	heap_freed(5 * piece / UNIT_SIZE);
	page_heap_tick(SIZE_MAX);
	helper_prepare();
	config.purge_budget = 0;
	token = helper_forbid(&was);
	assert_true(page_heap_tick(SIZE_MAX - 1) > 3 * piece);
	helper_allow(token);
}

TEST_MAIN(NULL, NULL)
