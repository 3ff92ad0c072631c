/* layer 2.6: budget: regret and the low-water mark */
#include "pageheap/budget.h"

#include "pageheap/limit.h"
#include "system/config.h"
#include "system/system.h"

#define REGRET_MS 1000
#define REGRET_FACTOR 4
#define LIVE_SHIFT 7 /* a 128th of what is claimed */
#define GAP_RUN_MOST ((size_t)4 << 20)
#define GAP_SIZE_MOST ((size_t)64 << 20)

struct budget budget;

static size_t budget_breath(size_t claimed)
{
	size_t peak = (size_t)load_relaxed(&budget.peak) << UNIT_SHIFT;

	return peak > claimed ? peak - claimed : 0;
}

/* Returns what the soft limit leaves for free memory. */
static size_t budget_soft_room(size_t claimed)
{
	uint32_t units = limit_soft_units();
	size_t soft = (size_t)units << UNIT_SHIFT;

	if (likely(units == LIMIT_NO_UNITS))
		return SIZE_MAX;
	return max_size(soft > claimed ? soft - claimed : 0, BUDGET_SOFT_KEEP);
}

static size_t budget_for(size_t claimed)
{
	size_t bonus = load_relaxed(&budget.bonus_size);
	size_t gap = load_relaxed(&budget.gap_size);
	size_t size = config.purge_budget + (claimed >> LIVE_SHIFT) +
		      min_size(bonus, budget_breath(claimed)) +
		      min_size(gap, claimed);

	return min_size(size, budget_soft_room(claimed));
}

size_t budget_size(void)
{
	return budget_for(budget_claimed_size());
}

size_t budget_size_without(size_t size)
{
	size_t claimed = budget_claimed_size();

	return budget_for(claimed - min_size(claimed, size));
}

/* Half of main memory, or what the program's user wants to be kept. */
size_t budget_run_most(void)
{
	return max_size(system_memory_size() / 2, config.purge_budget);
}

void budget_refused(uint32_t nr, bool more)
{
	uint64_t size = (uint64_t)nr << UNIT_SHIFT;
	uint64_t old = load_relaxed(&budget.refused_size);

	if (more)
		size += old;
	if (size > old)
		store_relaxed(&budget.refused_size, size);
}

void budget_purge_time(void)
{
	store_relaxed(&budget.purge_time, system_now_ms());
}

/* Raises what is learnt by four times what was missed, up to `most`. */
static void budget_learn(_Atomic(uint64_t) *bonus, size_t size, size_t most)
{
	uint64_t old = load_relaxed(bonus); // hint
	uint64_t more = min_size(old + REGRET_FACTOR * size, most);

	if (more > old)
		cas_relaxed(bonus, &old, more); // hint
}

void budget_regret(size_t size, size_t run_size)
{
	uint64_t last = load_relaxed(&budget.purge_time);
	size_t peak = (size_t)load_relaxed(&budget.peak) << UNIT_SHIFT;

	if (!last || system_now_ms() - last >= REGRET_MS)
		return;
	if (run_size > budget_run_most())
		return;
	add_relaxed(&budget.regret_size, size); // counter
	budget_learn(&budget.bonus_size, size, peak);
	if (run_size <= GAP_RUN_MOST && budget_breath(budget_claimed_size()))
		budget_learn(&budget.gap_size, size, GAP_SIZE_MOST);
}

/* Says how many ticks fit into the time since the last one, at least one. */
static unsigned budget_nr_ticks(void)
{
	uint64_t now = system_now_ms();
	uint64_t last = take_relaxed(&budget.tick_time, now);

	if (!last || now <= last || !config.purge_delay)
		return 1;
	return (unsigned)max_size(
		1, min_size((now - last) / config.purge_delay, 32));
}

/* Lowers the peak by a half of its distance for each tick. */
static void budget_lower_peak(unsigned nr_ticks)
{
	uint32_t claimed = (uint32_t)budget_units();
	uint64_t peak = load_relaxed(&budget.peak);

	if (peak <= claimed)
		return;
	peak = claimed + ((peak - claimed) >> nr_ticks);
	store_relaxed(&budget.peak, (uint32_t)peak);
}

size_t budget_tick(void)
{
	uint64_t bonus = load_relaxed(&budget.bonus_size);
	uint64_t gap = load_relaxed(&budget.gap_size);
	uint64_t regret = load_relaxed(&budget.regret_size); // counter
	uint64_t low = load_relaxed(&budget.low_dirty);
	unsigned nr_ticks = budget_nr_ticks();

	if (take_relaxed(&budget.tick_regret, regret) == regret) {
		cas_relaxed(&budget.bonus_size, &bonus, bonus >> nr_ticks);
		cas_relaxed(&budget.gap_size, &gap, gap >> nr_ticks);
	}
	budget_lower_peak(nr_ticks);
	store_relaxed(&budget.refused, 0);
	store_relaxed(&budget.refused_size, 0);
	return min_size(low << UNIT_SHIFT, budget_dirty_size());
}

void budget_forget(void)
{
	store_relaxed(&budget.bonus_size, 0);
	store_relaxed(&budget.gap_size, 0);
}

void budget_tick_done(void)
{
	store_relaxed(&budget.low_dirty, budget_units() >> 32);
}
