/* layer 2.7: dirty: marks, hints, and the purge of hugepages */
#include "pageheap/dirty.h"

#include "pageheap/account.h"
#include "pageheap/budget.h"
#include "pageheap/level.h"
#include "pageheap/region_grow.h"
#include "system/system.h"

#define WHOLE_UNITS \
	(WORD_BITS * HUGEPAGE_UNITS) /* what one call may have in hand */

/* Returns the part of [unit, end) that lies in unit's hugepage. */
static uint64_t dirty_mask(uint32_t unit, uint32_t end)
{
	uint32_t first = unit % HUGEPAGE_UNITS;

	return bits_range(
		first, (unsigned)min_size(HUGEPAGE_UNITS - first, end - unit));
}

static uint32_t dirty_next(uint32_t unit)
{
	return (uint32_t)round_down(unit, HUGEPAGE_UNITS) + HUGEPAGE_UNITS;
}

uint32_t dirty_count(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t used = load_relaxed(&region->nr_used); // held: no older
	uint32_t end = (uint32_t)min_size(unit + n, used), nr_dirty = 0;
	uint64_t dirty;

	for (; unit < end; unit = dirty_next(unit)) {
		dirty = load_relaxed(
			&region->dirty[unit / HUGEPAGE_UNITS]); // held
		if (dirty)
			nr_dirty += bits_count(dirty & dirty_mask(unit, end));
	}
	return nr_dirty;
}

void dirty_mark(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n;
	_Atomic(uint64_t) *at;
	uint64_t mask;

	for (; unit < end; unit = dirty_next(unit)) {
		at = &region->dirty[unit / HUGEPAGE_UNITS];
		mask = dirty_mask(unit, end);
		if (mask == ALL_ONES)
			store_relaxed(at, mask);   // held
		else if (~load_relaxed(at) & mask) // held
			or_relaxed(at, mask);	   // held
	}
}

/* Clears the bits of a hugepage that is held as a whole; returns how many of
 * its units were dirty. */
static unsigned dirty_clear(struct region *region, uint32_t hugepage)
{
	_Atomic(uint64_t) *at = &region->dirty[hugepage];
	uint64_t dirty = load_relaxed(at); // held

	if (dirty)
		store_relaxed(at, 0); // held
	return bits_count(dirty);
}

static unsigned dirty_page_units(void)
{
	return system_page_size() > UNIT_SIZE ? 2 : 1;
}

bool dirty_try_drop_held(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n;
	uint64_t mask;

	if ((unit | n) % dirty_page_units() ||
	    system_purge(region_addr(region, unit), (size_t)n << UNIT_SHIFT))
		return false;
	for (; unit < end; unit = dirty_next(unit)) {
		mask = dirty_mask(unit, end);
		if (mask == ALL_ONES)
			dirty_clear(region, unit / HUGEPAGE_UNITS);
		else
			// held
			and_relaxed(&region->dirty[unit / HUGEPAGE_UNITS],
				    ~mask);
	}
	return true;
}

/* Makes one call for n held units; true if the system took them. */
static bool dirty_call(struct region *region, uint32_t unit, size_t n,
		       struct dirty_purged *sum)
{
	sum->nr_calls++;
	if (system_purge(region_addr(region, unit), n << UNIT_SHIFT)) {
		sum->nr_refused++;
		return false;
	}
	return true;
}

/* Gives one run of held units of a hugepage back. */
static void dirty_drop(struct region *region, uint32_t hugepage, uint64_t run,
		       struct dirty_purged *sum)
{
	_Atomic(uint64_t) *at = &region->dirty[hugepage];
	unsigned first = bits_first(run), n = bits_last(run) - first + 1;

	if (dirty_call(region, hugepage * HUGEPAGE_UNITS + first, n, sum))
		// held
		sum->nr_units += bits_count(and_relaxed(at, ~run) & run);
	else
		sum->nr_kept += bits_count(load_relaxed(at) & run); // held
}

/* Drops held units run by run; one that is refused stays, alone. */
static void dirty_drop_runs(struct region *region, uint32_t hugepage,
			    uint64_t mask, struct dirty_purged *sum)
{
	uint64_t run;

	for (; mask; mask &= ~run) {
		run = bits_range(bits_first(mask),
				 unit_word_run(mask, bits_first(mask)));
		dirty_drop(region, hugepage, run, sum);
	}
}

/* Drops held hugepages: all by one call, and where that is refused by halves,
 * so that of 64 only those stay that refuse alone. */
static void dirty_drop_whole(struct region *region, uint32_t hugepage,
			     uint32_t n, struct dirty_purged *sum)
{
	uint32_t end = hugepage + n;

	if (dirty_call(region, hugepage * HUGEPAGE_UNITS,
		       (size_t)n * HUGEPAGE_UNITS, sum)) {
		for (; hugepage < end; hugepage++)
			sum->nr_units += dirty_clear(region, hugepage);
	} else if (n == 1) {
		sum->nr_kept += bits_count(
			load_relaxed(&region->dirty[hugepage])); // held
	} else {
		dirty_drop_whole(region, hugepage + n / 2, n - n / 2, sum);
		dirty_drop_whole(region, hugepage, n / 2, sum);
	}
}

/* Chooses what goes when `most` dirty ones of the free units are to go: with
 * them the clean ones beside. */
static uint64_t dirty_choose(uint64_t free, uint64_t dirty, size_t most)
{
	unsigned units = dirty_page_units();
	uint64_t mask = unit_word_purgeable(free, dirty, units);
	uint64_t clean = unit_word_purgeable(free, ALL_ONES, units) & ~mask;

	return unit_word_widen(unit_word_highest(mask, most), clean);
}

/* Chooses which hugepages go together: those from `top` downwards, in its word
 * of level 1, that are free as a whole and dirty, until there are `want` dirty
 * units; all of them not more than `most`. One alone while memory is short, as
 * others need it while it is held. */
static uint64_t dirty_choose_whole(struct region *region, uint32_t top,
				   size_t want, size_t most)
{
	uint64_t free = level_free_hugepages(region, top / WORD_BITS), mask = 0;
	unsigned i = top % WORD_BITS + 1, n;
	size_t sum = 0;

	if (region_growth_is_refused() || !budget_has_room(WHOLE_UNITS))
		want = min_size(want, HUGEPAGE_UNITS);
	while (i-- > 0 && sum < want && free & bits_one(i)) {
		// hint
		n = bits_count(load_relaxed(
			&region->dirty[round_down(top, WORD_BITS) + i]));
		if (!n || sum + n > most)
			break;
		sum += n;
		mask |= bits_one(i);
	}
	return mask;
}

/* Purges hugepages side by side, a mask of one word of level 1; false: somebody
 * has one of them. A whole word goes back as one granule of level 2. */
static bool dirty_purge_whole(struct region *region, uint32_t word,
			      uint64_t mask, struct dirty_purged *sum)
{
	uint32_t n = bits_count(mask);

	sum->hugepage = word * WORD_BITS + bits_first(mask);
	if (!level_try_claim(region, 1, word, mask))
		return false;
	dirty_drop_whole(region, sum->hugepage, n, sum);
	level_release_units(region, sum->hugepage * HUGEPAGE_UNITS,
			    n * HUGEPAGE_UNITS);
	return true;
}

/* Purges a part of a hugepage that is free as a whole: one call from the first
 * unit to the last, as what lies between is free too. */
static void dirty_purge_closed(struct region *region, uint32_t hugepage,
			       size_t most, struct dirty_purged *sum)
{
	uint64_t bit = bits_one(hugepage % WORD_BITS), mask;
	unsigned first;

	if (!level_try_claim(region, 1, hugepage / WORD_BITS, bit))
		return;
	mask = dirty_choose(ALL_ONES,
			    load_relaxed(&region->dirty[hugepage]), // held
			    most);
	if (mask) {
		first = bits_first(mask);
		mask = bits_range(first, bits_last(mask) - first + 1);
		dirty_drop(region, hugepage, mask, sum);
	}
	level_release(region, 1, hugepage / WORD_BITS, bit);
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
	dirty_drop_runs(region, hugepage, mask, sum);
	level_release(region, 0, hugepage, mask);
	return true;
}

/* Whether a purge would still find something; a hint. */
static bool dirty_remains(struct region *region, uint32_t hugepage)
{
	// [level.words] with level_release(): a release that saw the hint set
	uint64_t free = load_seq(&region->levels[0].words[hugepage]);
	uint64_t dirty = load_relaxed(&region->dirty[hugepage]); // hint

	if (!free && level_free_hugepages(region, hugepage / WORD_BITS) &
			     bits_one(hugepage % WORD_BITS))
		free = ALL_ONES;
	return unit_word_purgeable(free, dirty, dirty_page_units());
}

/* Sets the hint of each of these hugepages again where something is left. */
static void dirty_hint(struct region *region, uint32_t word, uint64_t mask)
{
	uint64_t left = 0;
	unsigned i;

	for (; mask; mask &= mask - 1) {
		i = bits_first(mask);
		if (dirty_remains(region, word * WORD_BITS + i))
			left |= bits_one(i);
	}
	if (left)
		free_index_mark_missing(region, 0, FREE_INDEX_DIRTY, word,
					left);
}

struct dirty_purged dirty_purge(struct region *region, uint32_t hugepage,
				size_t want, size_t most)
{
	struct dirty_purged sum = { 0 };
	uint64_t whole = dirty_choose_whole(region, hugepage, want, most);
	uint64_t mask = whole | bits_one(hugepage % WORD_BITS);

	free_index_unmark(region, 0, FREE_INDEX_DIRTY, hugepage / WORD_BITS,
			  mask);
	if (!whole ||
	    !dirty_purge_whole(region, hugepage / WORD_BITS, whole, &sum)) {
		sum.hugepage = hugepage;
		most = round_down(most, dirty_page_units());
		if (!dirty_purge_open(region, hugepage, most, &sum))
			dirty_purge_closed(region, hugepage, most, &sum);
	}
	dirty_hint(region, hugepage / WORD_BITS, mask);
	return sum;
}
