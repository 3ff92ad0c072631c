/* layer 2.6: budget: counters, regret and the low-water mark */
#include "pageheap/budget.h"

#include "system/config.h"
#include "system/system.h"

#define REGRET_MS 1000
#define REGRET_FACTOR 4
#define BONUS_SLACK_SIZE ((size_t)64 << 20)
#define LIVE_SHIFT 3 /* an eighth of what is claimed */

struct budget budget;

size_t budget_size(void)
{
	return config.purge_budget + (budget_claimed_size() >> LIVE_SHIFT) +
	       load_relaxed(&budget.bonus_size); // hint
}

static void budget_lower(uint64_t dirty)
{
	uint64_t low = load_relaxed(&budget.low_dirty); // hint

	while (dirty < low &&
	       !cas_relaxed(&budget.low_dirty, &low, dirty)) // hint
		;
}

void budget_taken(uint32_t nr, uint32_t nr_dirty)
{
	uint64_t change = nr - ((uint64_t)nr_dirty << 32);
	uint64_t old = add_relaxed(&budget.units, change); // counter

	budget_lower((old + change) >> 32);
}

void budget_given(uint32_t nr)
{
	add_relaxed(&budget.units, ((uint64_t)nr << 32) - nr); // counter
}

static void budget_count_purged(uint32_t nr, uint32_t nr_calls)
{
	// counter
	add_relaxed(&budget.purged_size, (uint64_t)nr << UNIT_SHIFT);
	add_relaxed(&budget.nr_purges, nr_calls); // counter
}

void budget_purged(uint32_t nr, uint32_t nr_calls)
{
	uint64_t change = (uint64_t)nr << 32;
	uint64_t old = sub_relaxed(&budget.units, change); // counter

	budget_lower((old - change) >> 32);
	budget_count_purged(nr, nr_calls);
}

void budget_given_purged(uint32_t nr)
{
	sub_relaxed(&budget.units, nr); // counter
	budget_count_purged(nr, 1);
	budget_purge_time();
}

/* Half of main memory, or what the program's user wants to be kept. */
size_t budget_run_most(void)
{
	return max_size(system_memory_size() / 2, config.purge_budget);
}

void budget_refused(uint32_t nr, bool more)
{
	uint64_t size = (uint64_t)nr << UNIT_SHIFT;
	uint64_t old = load_relaxed(&budget.refused_size); // hint

	if (more)
		size += old;
	if (size > old)
		store_relaxed(&budget.refused_size, size); // hint
}

void budget_purge_time(void)
{
	store_relaxed(&budget.purge_time, system_now_ms()); // hint
}

void budget_regret(size_t size)
{
	uint64_t last = load_relaxed(&budget.purge_time); // hint
	uint64_t most = budget_claimed_size() + BONUS_SLACK_SIZE;
	uint64_t bonus = load_relaxed(&budget.bonus_size); // hint

	if (!last || system_now_ms() - last >= REGRET_MS)
		return;
	if (size > budget_run_most())
		return;
	add_relaxed(&budget.regret_size, size); // counter
	while (bonus < most) {
		uint64_t more = min_size(bonus + REGRET_FACTOR * size, most);

		if (cas_relaxed(&budget.bonus_size, &bonus, more)) // hint
			return;
	}
}

size_t budget_tick(void)
{
	uint64_t bonus = load_relaxed(&budget.bonus_size);   // hint
	uint64_t regret = load_relaxed(&budget.regret_size); // counter
	uint64_t low = load_relaxed(&budget.low_dirty);      // hint

	if (take_relaxed(&budget.tick_regret, regret) == regret)    // hint
		cas_relaxed(&budget.bonus_size, &bonus, bonus / 2); // hint
	store_relaxed(&budget.refused, 0);                          // hint
	store_relaxed(&budget.refused_size, 0);                     // hint
	return min_size(low << UNIT_SHIFT, budget_dirty_size());
}

void budget_tick_done(void)
{
	store_relaxed(&budget.low_dirty, budget_units() >> 32); // hint
}
