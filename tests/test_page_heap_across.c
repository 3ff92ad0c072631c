/* Long runs: what is resident serves them, wherever its hugepages begin */
#include "page_heap_fixture.h"

static struct region *const r0 = &regions[0];

/* A heap that keeps all; the lowest n units are in the caller's hands. */
static uint32_t heap_held(uint32_t n)
{
	struct run run;

	heap_fresh(0);
	config.purge_budget = GIB;
	assert_true(page_heap_take(n, 1, 0, &run));
	return run.unit;
}

/* The same, free and dirty. */
static uint32_t heap_dirty(uint32_t n)
{
	uint32_t first = heap_held(n);

	page_heap_give(r0, first, n);
	heap_check();
	return first;
}

static struct run heap_take(uint32_t n, uint32_t align)
{
	struct run run;

	assert_true(page_heap_take(n, align, 0, &run));
	heap_check();
	return run;
}

static void is_at(struct run run, uint32_t unit, bool resident)
{
	assert_int_equal(run.unit, unit);
	assert_int_equal(dirty_count(run.region, run.unit, run.nr_units),
			 resident ? run.nr_units : 0);
	assert_int_equal(run.zero, !resident);
}

/* Of every length that may begin anywhere, behind every small run. */
TEST(what_is_left_of_a_hugepage_serves)
{
	uint32_t small, n, first;

	for (small = 1; small <= 64; small += 9)
		for (n = 65; n <= 127; n += 13) {
			first = heap_dirty(3 * 64);
			is_at(heap_take(small, 1), first, true);
			is_at(heap_take(n, 1), first + small, true);
		}
}

TEST(not_across_what_is_taken)
{
	uint32_t first = heap_held(6 * 64), hole = first + 2 * 64 + 5;

	page_heap_give(r0, first, hole - first);
	page_heap_give(r0, hole + 1, first + 6 * 64 - hole - 1);
	is_at(heap_take(127, 1), first, true);
	is_at(heap_take(120, 1), hole + 1, true);
	is_at(heap_take(120, 1), hole + 121, true);
	assert_true(heap_take(100, 1).unit > hole + 240);
}

TEST(begins_behind_a_held_hugepage)
{
	uint32_t first = heap_held(6 * 64);

	page_heap_give(r0, first, 64);
	page_heap_give(r0, first + 2 * 64, 64 + 10);
	is_at(heap_take(70, 1), first + 2 * 64, true);
}

TEST(not_across_what_is_clean)
{
	uint32_t first = heap_held(6 * 64), hole = first + 2 * 64 + 5;

	page_heap_give(r0, hole, 64);
	page_heap_purge(0, SIZE_MAX);
	page_heap_give(r0, first, hole - first);
	page_heap_give(r0, hole + 64, first + 6 * 64 - hole - 64);
	is_at(heap_take(3, 1), first, true);
	is_at(heap_take(127, 1), first + 3, true);
	is_at(heap_take(99, 1), hole + 64, true);
}

/* Whoever wants an alignment gets it, and no more is kept in hand for it. */
TEST(alignment_goes_before)
{
	uint32_t first = heap_dirty(4 * 64);

	is_at(heap_take(1, 1), first, true);
	assert_int_equal(heap_take(65, 64).unit % 64, 0);
	assert_int_equal(heap_take(70, 128).unit % 64, 0);
}

/* What realloc moves by page tables begins at a hugepage. */
TEST(the_longest_begin_at_a_hugepage)
{
	uint32_t first = heap_dirty(4 * 64);

	is_at(heap_take(1, 1), first, true);
	is_at(heap_take(128, 1), first + 64, true);
	first = heap_dirty(4 * 64);
	is_at(heap_take(1, 1), first, true);
	is_at(heap_take(127, 1), first + 1, true);
}

/* More hugepages with a hint that hold too little than there are looks end the
 * search, and the run is clean; a longer one has more looks. */
TEST(the_search_is_bounded)
{
	uint32_t first = heap_held(24 * 64), end = first + 20 * 64, at;

	for (at = first; at < end; at += 64)
		page_heap_give(r0, at + 32, 32);
	page_heap_give(r0, end + 32, 127);
	assert_true(heap_take(66, 1).unit >= first + 24 * 64);
	is_at(heap_take(127, 1), end + 32, true);
}

TEST_MAIN(NULL, NULL)
