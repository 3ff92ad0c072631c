/* layer 2.3: fit: filing and searching of the hints */
#include "pageheap/fit.h"

#define FIT_ROUNDS 4

static _Atomic(uint64_t) *fit_summary(struct level *level, unsigned k,
				      uint32_t index)
{
	return &level->fit_summary[(size_t)k * level->nr_summary + index];
}

/* One more than the highest summary word ever marked, of all k. */
static _Atomic(uint64_t) *fit_summary_end(struct level *level)
{
	return &level->fit_summary[(size_t)FIT_LINE * level->nr_summary];
}

static void fit_summary_extend(struct level *level, uint64_t end)
{
	raise_relaxed(fit_summary_end(level), end); // hint
}

/* The line and its summary are a Dekker pair: one of the two sees that the
 * summary's bit is to be set. x a bit of the line, y its parent's in the
 * summary, at first 0 and 1:
 *
 *	marker		unmarker
 *	x = 1		y = 0
 *	r1 = y		r2 = x		r1 = 1 and r2 = 0 is forbidden
 */
static void fit_summary_mark(struct level *level, unsigned k, uint32_t parent)
{
	_Atomic(uint64_t) *at = fit_summary(level, k, parent / 64);
	uint64_t bit = bits_one(parent % 64);

	fit_summary_extend(level, parent / 64 + 1);
	// [fit.summary] with fit_summary_unmark(): the bit is not cleared later
	if (!(load_seq(at) & bit))
		// [fit.summary] with fit_summary_unmark(): the same
		or_seq(at, bit);
}

static void fit_summary_unmark(struct level *level, unsigned k, uint32_t parent)
{
	_Atomic(uint64_t) *at = fit_summary(level, k, parent / 64);
	uint64_t bit = bits_one(parent % 64);

	// [fit.summary] with fit_summary_mark(): cleared before the line is
	// read
	and_seq(at, ~bit);
	// [fit.line] with fit_mark(): a child that was filed meanwhile
	if (load_seq(&level->fit[(size_t)parent * FIT_LINE + k]))
		// [fit.summary] with fit_summary_mark(): set again
		or_seq(at, bit);
}

void fit_mark(struct region *region, unsigned level, unsigned k,
	      uint32_t parent, uint64_t mask)
{
	// [fit.line] with fit_unmark(): it sees the change of the child's word
	or_seq(fit_line(region, level, k, parent), mask);
	fit_summary_mark(&region->levels[level], k, parent);
}

void fit_mark_missing(struct region *region, unsigned level, unsigned k,
		      uint32_t parent, uint64_t mask)
{
	_Atomic(uint64_t) *at = fit_line(region, level, k, parent);

	// [fit.line] with fit_unmark(): it sees what the caller wrote before
	if ((load_seq(at) & mask) != mask)
		fit_mark(region, level, k, parent, mask);
}

void fit_unmark(struct region *region, unsigned level, unsigned k,
		uint32_t parent, uint64_t mask)
{
	uint64_t old;

	// [fit.line] with fit_mark(): the next look at the word is no older
	old = and_seq(fit_line(region, level, k, parent), ~mask);
	if (!(old & ~mask))
		fit_summary_unmark(&region->levels[level], k, parent);
}

static void fit_unmark_others(struct region *region, unsigned level, unsigned k,
			      uint32_t word)
{
	uint64_t bit = bits_one(word % 64), line;
	unsigned i;

	for (i = 0; i < UNIT_WORD_CLASSES; i++) {
		if (i == k)
			continue;
		line = load_relaxed(
			fit_line(region, level, i, word / 64)); // hint
		if (line & bit)
			fit_unmark(region, level, i, word / 64, bit);
	}
}

void fit_refile(struct region *region, unsigned level, uint32_t word)
{
	_Atomic(uint64_t) *at = &region->levels[level].words[word];
	unsigned round, k;

	if (level == NR_LEVELS - 1)
		return;
	for (round = 0; round < FIT_ROUNDS; round++) {
		k = unit_word_class(load_relaxed(at)); // hint
		fit_unmark_others(region, level, k, word);
		if (k != UNIT_WORD_CLASSES)
			fit_mark(region, level, k, word / 64,
				 bits_one(word % 64));
		if (unit_word_class(load_relaxed(at)) == k) // hint
			return;
	}
}

/* The children of one parent that are filed under k; an empty line's summary
 * bit is repaired. */
static uint64_t fit_children(struct region *region, unsigned level, unsigned k,
			     uint32_t parent)
{
	uint64_t line =
		load_relaxed(fit_line(region, level, k, parent)); // hint

	if (unlikely(!line))
		fit_summary_unmark(&region->levels[level], k, parent);
	return line;
}

static force_inline uint32_t fit_next_in(struct region *region, unsigned level,
					 unsigned k, uint32_t from,
					 unsigned node)
{
	struct level *lv = &region->levels[level];
	uint64_t end = load_relaxed(fit_summary_end(lv)); // hint
	uint32_t parent = from / 64, index = parent / 64, start = index, at;
	uint64_t parents, children;

	for (; index < end; index++) {
		parents = load_relaxed(fit_summary(lv, k, index)); // hint
		if (index == start)
			parents &= ~bits_low(parent % 64);
		for (; parents; parents &= parents - 1) {
			at = index * 64 + bits_first(parents);
			children = fit_children(region, level, k, at) &
				   node_hugepages(region, at, node);
			if (at == parent)
				children &= ~bits_low(from % 64);
			if (children)
				return at * 64 + bits_first(children);
		}
	}
	return FIT_NONE;
}

uint32_t fit_next(struct region *region, unsigned level, unsigned k,
		  uint32_t from)
{
	return fit_next_in(region, level, k, from, NODE_ANY);
}

uint32_t fit_next_of(struct region *region, unsigned k, uint32_t from,
		     unsigned node)
{
	return fit_next_in(region, 0, k, from, node);
}

uint32_t fit_previous(struct region *region, unsigned level, unsigned k,
		      uint32_t below)
{
	struct level *lv = &region->levels[level];
	uint64_t end = load_relaxed(fit_summary_end(lv)); // hint
	uint32_t parent = below / 64, index = parent / 64 + 1, start = index,
		 at;
	uint64_t parents, children;

	if (index > end)
		index = (uint32_t)end;
	for (; index > 0; index--) {
		parents = load_relaxed(fit_summary(lv, k, index - 1)); // hint
		if (index == start)
			parents &= bits_low(parent % 64 + 1);
		for (; parents; parents &= ~bits_one(bits_last(parents))) {
			at = (index - 1) * 64 + bits_last(parents);
			children = fit_children(region, level, k, at);
			if (at == parent)
				children &= bits_low(below % 64);
			if (children)
				return at * 64 + bits_last(children);
		}
	}
	return FIT_NONE;
}
