/* layer 2.6: budget: how much free memory is kept from the system
 *
 *	budget = config.purge_budget + claimed / 128
 *		 + min(bonus, peak - claimed) + min(gap, claimed)
 *
 * Both learn from regret: memory that is taken clean, below the highest unit
 * ever taken, while something was purged in the last second, would have been
 * better kept. Each grows by four times its size, so that of its first breath a
 * program misses a fourth and not all. What is larger than half of main memory
 * is never kept, so its want is no regret.
 *
 * The bonus is for a heap that breathes. It may grow to the peak, the most that
 * was claimed lately, and counts as far as what is claimed lies below that:
 * what was never claimed at once is not wanted at once.
 *
 * The gap is for a heap that stays as large as it is while runs come and go:
 * what is free is then in pieces that fit nobody, and with nothing beyond the
 * peak each second run would be clean. It learns from runs of at most
 * GAP_RUN_MOST, as whoever fills a larger one is not slowed down much, up to
 * GAP_SIZE_MOST. A heap that grows takes clean memory anyway: a rise of the
 * peak lowers the gap by twice its size, and what raises the peak is no lesson.
 *
 * A tick without regret since the tick before halves both, and each tick the
 * distance from what is claimed up to the peak; where ticks were late, once for
 * each delay that passed. So a program that breathes settles at keeping what it
 * breathes, and one that calmed down gives it back.
 *
 * Where there is a soft limit (limit.h) no more is kept than there is room
 * below it, and beyond it BUDGET_SOFT_KEEP, so that not each free is a call.
 *
 * What the system refused to take (a page that the program locked) lies in
 * the free dirty memory and cannot be purged: until the next tick, which tries
 * again, gives keep as much more (refused_size), so that not each of them is
 * refused it again, nor does other memory pay for it.
 *
 * What is claimed and what is free and dirty the account counts (account.h), of
 * which this is a reader.
 *
 * All operations are wait-free; the low-water mark is lock-free.
 */
#ifndef LANE_BUDGET_H
#define LANE_BUDGET_H

#include "pageheap/region.h"

#define BUDGET_SOFT_KEEP ((size_t)1 << 20)
#define GROWTH_FACTOR 2 /* by which a rise of the peak lowers the gap */

struct budget {
	_Atomic(uint64_t) units;       /* counter: see account.h */
	_Atomic(uint64_t) low_dirty;   /* hint: least since the last tick */
	_Atomic(uint64_t) bonus_size;  /* hint */
	_Atomic(uint64_t) gap_size;    /* hint */
	_Atomic(uint64_t) purge_time;  /* hint: of the last purge, ms; 0 none */
	_Atomic(uint64_t) purged_size; /* counter */
	_Atomic(uint64_t) nr_purges;   /* counter */
	_Atomic(uint64_t) regret_size; /* counter */
	_Atomic(uint64_t) tick_regret; /* hint: regret_size at the last tick */
	_Atomic(uint64_t) refused_size; /* hint: since the last tick */
	_Atomic(uint64_t) purge_place; /* hint: where refusals ended a walk, see
					* purge.c; 0: nowhere */
	_Atomic(uint64_t) tick_time;   /* hint: of the last tick, ms; 0 none */
	_Atomic(uint32_t) peak;	       /* hint: most units claimed lately */
	_Atomic(uint32_t) refused;     /* hint: purging was in vain since */
} __attribute__((aligned(CACHE_LINE)));

extern struct budget budget internal;

static force_inline uint64_t budget_units(void)
{
	return load_relaxed(&budget.units);
}

static force_inline size_t budget_claimed_size(void)
{
	return (size_t)(uint32_t)budget_units() << UNIT_SHIFT;
}

static force_inline size_t budget_dirty_size(void)
{
	return (size_t)(budget_units() >> 32) << UNIT_SHIFT;
}

/* Returns what has memory behind it, as far as the page heap knows. */
static force_inline size_t budget_resident_size(void)
{
	uint64_t units = budget_units();

	return (size_t)((uint32_t)units + (units >> 32)) << UNIT_SHIFT;
}

/* The account notes what is claimed: a heap that grows takes clean memory
 * anyway. */
static inline void budget_raise_peak(uint32_t claimed)
{
	uint32_t peak = load_relaxed(&budget.peak);
	size_t gap, less;

	if (claimed <= peak)
		return;
	gap = load_relaxed(&budget.gap_size);
	less = (size_t)(claimed - peak) << UNIT_SHIFT;
	store_relaxed(&budget.gap_size,
		      gap - min_size(gap, GROWTH_FACTOR * less));
	store_relaxed(&budget.peak, claimed);
}

/* And what is free and dirty, for its least in an interval. */
static inline void budget_lower(uint64_t dirty)
{
	uint64_t low = load_relaxed(&budget.low_dirty);

	while (dirty < low && !cas_relaxed(&budget.low_dirty, &low, dirty))
		;
}

/* Returns how much free memory is kept now. */
size_t budget_size(void);

/* Returns what it is when so much of what is claimed has been given. */
size_t budget_size_without(size_t size);

/* Returns the size above which a run is not kept, whatever the budget. */
size_t budget_run_most(void);

/* Notes that the system refused to take nr units; more: others than before. */
void budget_refused(uint32_t nr, bool more);

/* Notes that something was purged now. */
void budget_purge_time(void);

/* Learns from a run that was taken, of which size bytes had been in use before
 * and were clean. */
void budget_regret(size_t size, size_t run_size);

/* Forgets what was learnt of keeping, under pressure. */
void budget_forget(void);

/* Ends an interval: without regret halves bonus and gap, lowers the peak, and
 * lets what the system refused be tried again; returns the bytes of free dirty
 * memory that nobody wanted in it. */
size_t budget_tick(void);

/* Begins the next interval, with what is there now. */
void budget_tick_done(void);

#endif
