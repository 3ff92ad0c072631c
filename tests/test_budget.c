/* pageheap/budget.h: what the two bonuses learn, and what bounds them */
#include "page_heap_fixture.h"

#define NR_RUNS 3200 /* of a hundred MiB in units */

static struct run runs[NR_RUNS];

static void take_all(uint32_t n, unsigned first, unsigned end)
{
	for (; first < end; first++)
		assert_true(page_heap_take(n, 1, 0, &runs[first]));
}

static void give_all(unsigned first, unsigned end)
{
	for (; first < end; first++)
		heap_give(&runs[first]);
}

static size_t resident(void)
{
	return budget_resident_size();
}

/* Whatever was missed: no more is kept than what was claimed at once. */
TEST(the_peak_bounds_the_bonus)
{
	heap_keeping(4 * MIB);
	take_all(1, 0, NR_RUNS);
	for (unsigned round = 0; round < 10; round++) {
		give_all(0, 400);
		take_all(1, 0, 400);
	}
	store_relaxed(&budget.bonus_size, 1000 * GIB); // own
	store_relaxed(&budget.gap_size, 0);	       // own
	assert_true(budget_size() <= 5 * MIB);
	give_all(0, 400);
	assert_true(budget_size() <= 5 * MIB + 400 * UNIT_SIZE);
	assert_true(page_heap_dirty_size() >= 400 * UNIT_SIZE);
	store_relaxed(&budget.gap_size, 0); // own
	assert_int_equal(budget_size_without(100 * MIB),
			 4 * MIB + NR_RUNS * UNIT_SIZE);
	give_all(400, NR_RUNS);
	assert_true(resident() <= 4 * MIB + NR_RUNS * UNIT_SIZE);
	heap_check();
}

/* Runs of [least, least + n) units, 64 at a time, any of them replaced. */
static void churn(uint32_t least, uint32_t n, unsigned nr)
{
	struct run *run;

	while (nr--) {
		run = &runs[heap_random() % 64];
		if (run->nr_units)
			heap_give(run);
		assert_true(page_heap_take(least + heap_random() % n, 1, 0,
					   run));
	}
}

/* Where runs come and go and nothing fits, some more is kept: after a while
 * little is missed. */
TEST(gaps_are_kept)
{
	uint64_t regret;

	memset(runs, 0, sizeof(runs));
	heap_keeping(4 * MIB);
	churn(2, 126, 4000);
	assert_in_range(load_relaxed(&budget.gap_size), // own
			8 * MIB, 64 * MIB);
	regret = load_relaxed(&budget.regret_size); // counter
	churn(2, 126, 4000);
	regret = load_relaxed(&budget.regret_size) - regret; // counter
	/* Of the 8,000 MiB that were taken. */
	assert_true(regret < 800 * MIB);
}

/* Not for runs that are large themselves: what stays beyond the budget is what
 * the last one left. */
TEST(large_runs_have_no_gaps)
{
	memset(runs, 0, sizeof(runs));
	heap_keeping(4 * MIB);
	churn(129, 256, 2000);
	assert_int_equal(load_relaxed(&budget.gap_size), 0); // own
	assert_true(load_relaxed(&budget.regret_size) > 0);  // counter
	assert_true(resident() <= ((size_t)load_relaxed(&budget.peak) // own
				   << UNIT_SHIFT) * 129 / 128 + 4 * MIB +
					  384 * UNIT_SIZE);
}

/* Each run is replaced by one that is a fourth larger, in turns. */
TEST(growth_needs_no_gap)
{
	struct run old;

	heap_keeping(4 * MIB);
	take_all(2, 0, 200);
	for (uint32_t n = 3; n < 32; n += n / 4 + 1)
		for (unsigned i = 0; i < 200; i++) {
			old = runs[i];
			assert_true(page_heap_take(n, 1, 0, &runs[i]));
			heap_give(&old);
		}
	assert_true(budget_size() <= 12 * MIB);
	assert_true(resident() <= budget_claimed_size() + 12 * MIB);
}

/* Twice what the peak rises by; nothing below the peak. */
TEST(a_rise_lowers_the_gap)
{
	heap_keeping(4 * MIB);
	take_all(1, 0, 400);
	give_all(0, 100);
	store_relaxed(&budget.gap_size, 20 * MIB); // own
	take_all(1, 0, 100);
	assert_int_equal(load_relaxed(&budget.gap_size), 20 * MIB); // own
	take_all(1, 400, 500);
	assert_int_equal(load_relaxed(&budget.gap_size), // own
			 20 * MIB - 200 * UNIT_SIZE);
	take_all(1, 500, 1500);
	assert_int_equal(load_relaxed(&budget.gap_size), 0); // own
}

/* Late ticks count for all the time that passed. */
TEST(late_ticks_count_as_many)
{
	uint32_t peak;

	heap_keeping(4 * MIB);
	take_all(1, 0, NR_RUNS);
	give_all(0, NR_RUNS);
	config.purge_delay = 500;
	page_heap_tick(0);
	store_relaxed(&budget.bonus_size, 1 << 20); // own
	store_relaxed(&budget.gap_size, 1 << 20);   // own
	peak = load_relaxed(&budget.peak);	    // own
	fake_now_ms += 500;
	page_heap_tick(0);
	assert_int_equal(load_relaxed(&budget.bonus_size), 1 << 19); // own
	assert_int_equal(load_relaxed(&budget.gap_size), 1 << 19);   // own
	assert_int_equal(load_relaxed(&budget.peak), peak / 2);	     // own
	fake_now_ms += 5 * 500;
	page_heap_tick(0);
	assert_int_equal(load_relaxed(&budget.bonus_size), 1 << 14); // own
	fake_now_ms += 1000 * 500;
	page_heap_tick(0);
	assert_int_equal(load_relaxed(&budget.bonus_size), 0); // own
	assert_int_equal(load_relaxed(&budget.gap_size), 0);   // own
	assert_int_equal(load_relaxed(&budget.peak), 0);       // own
}

TEST_MAIN(NULL, NULL)
