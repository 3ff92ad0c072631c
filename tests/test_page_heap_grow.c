/* Growth in place, and the search before memory is said to lack */
#include "page_heap_fixture.h"

/* Where mapped units end the region grows in place; refused, all is as it
 * was. */
TEST(extends_at_the_frontier)
{
	struct region *r = &regions[0];
	uint32_t n = GROW_LEAST, all;
	struct run a;

	heap_fresh(0);
	assert_true(page_heap_take(n - 10, 1, 0, &a));
	assert_int_equal(load_relaxed(&r->nr_taken), n); // counter
	fake_fail_from(FAKE_MAP, 1);
	assert_false(page_heap_try_extend(r, a.unit, n - 10, 20));
	heap_check();
	assert_int_equal(load_relaxed(&r->nr_taken), n); // counter
	assert_true(page_heap_try_extend(r, a.unit, n - 10, 10));
	fake_fail_from(FAKE_MAP, 0);
	assert_true(page_heap_try_extend(r, a.unit, n, 5));
	region_addr(r, n + 4)[UNIT_SIZE - 1] = 1;
	assert_true(page_heap_try_extend(r, a.unit, n + 5, n));
	region_addr(r, 2 * n + 4)[UNIT_SIZE - 1] = 1;
	heap_check();
	all = load_relaxed(&r->nr_taken); // counter
	fake.taken = region_addr(r, all);
	fake.taken_size = 4096;
	assert_false(page_heap_try_extend(r, a.unit, 2 * n + 5, all));
	heap_check();
	page_heap_give(r, a.unit, 2 * n + 5);
	assert_int_equal(budget_claimed_size(), 0);
}

/* A long run begins with the free units at the end of what is mapped. */
TEST(takes_the_tail_along)
{
	uint32_t n = GROW_LEAST;
	struct region *r = &regions[0];
	struct run a, b;

	heap_fresh(0);
	assert_true(page_heap_take(n - 100, 1, 0, &a));
	assert_true(page_heap_take(150, 1, 0, &b));
	assert_int_equal(b.unit, n - 100);
	region_addr(r, b.unit + 149)[UNIT_SIZE - 1] = 1;
	heap_check();
	/* Nothing changes where the region cannot grow right there. */
	heap_fresh(0);
	assert_true(page_heap_take(n - 100, 1, 0, &a));
	fake.taken = region_addr(r, n);
	fake.taken_size = 4096;
	assert_true(page_heap_take(150, 1, 0, &b));
	assert_true(b.unit > n);
	heap_check();
	assert_true(page_heap_take(64, 1, 0, &b));
	assert_true(b.unit < n);
}

/* Before memory is said to lack all words are looked at: the run that fits
 * lies behind more of its class than a quick search sees. */
TEST(searches_all_in_the_end)
{
	enum { NR = 12 };
	uint32_t i, last = (NR - 1) * HUGEPAGE_UNITS;
	struct run run, all;

	heap_fresh(0);
	assert_true(page_heap_take(GROW_LEAST * 3, 1, 0, &all));
	assert_int_equal(all.unit, 0);
	/* Runs of 11 in each hugepage, of which the last has 12; one class. */
	assert_int_equal(unit_word_class_of_run(11),
			 unit_word_class_of_run(12));
	for (i = 0; i < NR - 1; i++)
		page_heap_give(all.region, i * HUGEPAGE_UNITS + 9, 11);
	page_heap_give(all.region, last + 9, 12);
	fake_fail_from(FAKE_MAP, 1);
	config.purge_budget = KEEP_ALL;
	assert_true(page_heap_take(12, 1, 0, &run));
	assert_int_equal(run.unit, last + 9);
	assert_false(page_heap_take(12, 1, 0, &run));
	heap_check();
}

/* Also a run longer than a hugepage that begins at none, over whole ones. */
TEST(searches_across_hugepages_in_the_end)
{
	static const uint32_t sizes[] = { 65, 96, 128, 200 };
	struct run run, all;

	for (unsigned i = 0; i < 4; i++) {
		heap_keeping(KEEP_ALL);
		assert_true(page_heap_take(GROW_LEAST * 3, 1, 0, &all));
		page_heap_give(all.region, 40, 20);
		page_heap_give(all.region, 96, sizes[i]);
		fake_fail_from(FAKE_MAP, 1);
		assert_false(page_heap_take(sizes[i] + 1, 1, 0, &run));
		assert_true(page_heap_take(sizes[i], 1, 0, &run));
		assert_int_equal(run.unit, 96);
		heap_check();
		assert_false(page_heap_take(65, 1, 0, &run));
		heap_check();
	}
}

TEST_MAIN(NULL, NULL)
