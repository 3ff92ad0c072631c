/* layer 2.7: dirty: marks, hints, and the purge of one hugepage */
#include "pageheap/dirty.h"

#include "pageheap/level.h"
#include "system/system.h"

/* The part of [unit, end) that lies in unit's hugepage. */
static uint64_t dirty_mask(uint32_t unit, uint32_t end)
{
	uint32_t first = unit % 64;

	return bits_range(first, (unsigned)min_size(64 - first, end - unit));
}

static uint32_t dirty_next(uint32_t unit)
{
	return (uint32_t)round_down(unit, 64) + 64;
}

uint32_t dirty_mark(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n, nr_dirty = 0;
	_Atomic(uint64_t) *at;
	uint64_t mask, old;

	for (; unit < end; unit = dirty_next(unit)) {
		at = &region->dirty[unit / 64];
		mask = dirty_mask(unit, end);
		old = load_relaxed(at); // held
		if ((old & mask) != mask)
			old = or_relaxed(at, mask); // held
		nr_dirty += bits_count(old & mask);
	}
	return nr_dirty;
}

static unsigned dirty_page_units(void)
{
	return system_page_size() > UNIT_SIZE ? 2 : 1;
}

/* Gives one run of held units back; true if the system took it. */
static bool dirty_drop(struct region *region, uint32_t unit, uint64_t mask,
		       struct dirty_purged *sum)
{
	_Atomic(uint64_t) *at = &region->dirty[unit / 64];
	uint32_t n = bits_last(mask) - bits_first(mask) + 1;
	char *addr = region_addr(region, unit + bits_first(mask));

	sum->nr_calls++;
	if (system_purge(addr, (size_t)n << UNIT_SHIFT)) {
		sum->refused = true;
		return false;
	}
	sum->nr_units += bits_count(and_relaxed(at, ~mask) & mask); // held
	return true;
}

/* Drops held units run by run. */
static void dirty_drop_runs(struct region *region, uint32_t unit, uint64_t mask,
			    struct dirty_purged *sum)
{
	uint64_t run;

	for (; mask; mask &= ~run) {
		run = bits_range(bits_first(mask),
				 unit_word_run(mask, bits_first(mask)));
		if (!dirty_drop(region, unit, run, sum))
			return;
	}
}

/* What goes when `most` dirty ones of the free units are to go: with them the
 * clean ones beside. */
static uint64_t dirty_choose(uint64_t free, uint64_t dirty, size_t most)
{
	unsigned units = dirty_page_units();
	uint64_t mask = unit_word_purgeable(free, dirty, units);
	uint64_t clean = unit_word_purgeable(free, ALL_ONES, units) & ~mask;

	return unit_word_widen(unit_word_highest(mask, most), clean);
}

/* A hugepage that is free as a whole: one call from the first unit to the
 * last, as what lies between is free too. */
static void dirty_purge_closed(struct region *region, uint32_t hugepage,
			       size_t most, struct dirty_purged *sum)
{
	uint64_t bit = bits_one(hugepage % 64), mask;
	unsigned first;

	if (!level_try_claim(region, 1, hugepage / 64, bit))
		return;
	mask = dirty_choose(ALL_ONES,
			    load_relaxed(&region->dirty[hugepage]), // held
			    most);
	if (mask) {
		first = bits_first(mask);
		mask = bits_range(first, bits_last(mask) - first + 1);
		dirty_drop(region, hugepage * 64, mask, sum);
	}
	level_release(region, 1, hugepage / 64, bit);
}

/* True: the word was open, and what a purge takes was claimed and dropped. */
static bool dirty_purge_open(struct region *region, uint32_t hugepage,
			     size_t most, struct dirty_purged *sum)
{
	_Atomic(uint64_t) *at = &region->levels[0].words[hugepage];
	// [level.words] with level_release(): a release that saw the hint set
	uint64_t free = load_seq(at);
	uint64_t dirty, mask;

	do {
		if (!free)
			return false;
		dirty = load_relaxed(&region->dirty[hugepage]); // hint
		mask = dirty_choose(free, dirty, most);
		if (!mask)
			return true;
		// [level.words] with level_release(): the units' last use
	} while (!cas_acquire(at, &free, free & ~mask));
	dirty_drop_runs(region, hugepage * 64, mask, sum);
	level_release(region, 0, hugepage, mask);
	return true;
}

/* What a purge would still find; a hint. */
static bool dirty_remains(struct region *region, uint32_t hugepage)
{
	// [level.words] with level_release(): a release that saw the hint set
	uint64_t free = load_seq(&region->levels[0].words[hugepage]);
	uint64_t dirty = load_relaxed(&region->dirty[hugepage]); // hint

	if (!free && level_free_hugepages(region, hugepage / 64) &
			     bits_one(hugepage % 64))
		free = ALL_ONES;
	return unit_word_purgeable(free, dirty, dirty_page_units());
}

struct dirty_purged dirty_purge_hugepage(struct region *region,
					 uint32_t hugepage, size_t most)
{
	struct dirty_purged sum = { 0 };
	uint64_t bit = bits_one(hugepage % 64);

	most = round_down(most, dirty_page_units());
	fit_unmark(region, 0, FIT_DIRTY, hugepage / 64, bit);
	if (!dirty_purge_open(region, hugepage, most, &sum))
		dirty_purge_closed(region, hugepage, most, &sum);
	if (dirty_remains(region, hugepage))
		fit_mark_missing(region, 0, FIT_DIRTY, hugepage / 64, bit);
	return sum;
}
