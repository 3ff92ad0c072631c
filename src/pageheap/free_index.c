/* layer 2.3: free index: filing and searching of the hints */
#include "pageheap/free_index.h"

#define FREE_INDEX_ROUNDS 4

static _Atomic(uint64_t) *free_index_summary(struct level *level, unsigned k,
					     uint32_t index)
{
	return &level->free_index_summary[(size_t)k * level->nr_summary +
					  index];
}

/* Where one more than the highest summary word ever marked stands, of all k. */
static _Atomic(uint64_t) *free_index_summary_end(struct level *level)
{
	return &level->free_index_summary[(size_t)FREE_INDEX_LINE *
					  level->nr_summary];
}

static void free_index_summary_extend(struct level *level, uint64_t end)
{
	raise_relaxed(free_index_summary_end(level), end); // hint
}

/* The line and its summary are a Dekker pair: one of the two sees that the
 * summary's bit is to be set. x a bit of the line, y its parent's in the
 * summary, at first 0 and 1:
 *
 *	marker		unmarker
 *	x = 1		y = 0
 *	r1 = y		r2 = x		r1 = 1 and r2 = 0 is forbidden
 */
static void free_index_summary_mark(struct level *level, unsigned k,
				    uint32_t parent)
{
	_Atomic(uint64_t) *at = free_index_summary(level, k,
						   parent / WORD_BITS);
	uint64_t bit = bits_one(parent % WORD_BITS);

	free_index_summary_extend(level, parent / WORD_BITS + 1);
	// [free_index.summary] with free_index_summary_unmark(): the bit is not
	// cleared later
	if (!(load_seq(at) & bit))
		// [free_index.summary] with free_index_summary_unmark(): not
		// cleared later
		or_seq(at, bit);
}

static void free_index_summary_unmark(struct level *level, unsigned k,
				      uint32_t parent)
{
	_Atomic(uint64_t) *at = free_index_summary(level, k,
						   parent / WORD_BITS);
	uint64_t bit = bits_one(parent % WORD_BITS);

	// [free_index.summary] with free_index_summary_mark(): cleared before
	// the line is read
	and_seq(at, ~bit);
	// [free_index.line] with free_index_mark(): a child that was filed
	// meanwhile
	if (load_seq(&level->free_index[(size_t)parent * FREE_INDEX_LINE + k]))
		// [free_index.summary] with free_index_summary_mark(): set
		// again
		or_seq(at, bit);
}

void free_index_mark(struct region *region, unsigned level, unsigned k,
		     uint32_t parent, uint64_t mask)
{
	// [free_index.line] with free_index_unmark(): it sees the change of the
	// child's word
	or_seq(free_index_line(region, level, k, parent), mask);
	free_index_summary_mark(&region->levels[level], k, parent);
}

void free_index_mark_missing(struct region *region, unsigned level, unsigned k,
			     uint32_t parent, uint64_t mask)
{
	_Atomic(uint64_t) *at = free_index_line(region, level, k, parent);

	// [free_index.line] with free_index_unmark(): it sees what the caller
	// wrote before
	if ((load_seq(at) & mask) != mask)
		free_index_mark(region, level, k, parent, mask);
}

void free_index_unmark(struct region *region, unsigned level, unsigned k,
		       uint32_t parent, uint64_t mask)
{
	uint64_t old;

	// [free_index.line] with free_index_mark(): the next look at the word
	// is no older
	old = and_seq(free_index_line(region, level, k, parent), ~mask);
	if (!(old & ~mask))
		free_index_summary_unmark(&region->levels[level], k, parent);
}

static void free_index_unmark_others(struct region *region, unsigned level,
				     unsigned k, uint32_t word)
{
	uint64_t bit = bits_one(word % WORD_BITS), line;
	unsigned i;

	for (i = 0; i < UNIT_WORD_CLASSES; i++) {
		if (i == k)
			continue;
		line = load_relaxed(free_index_line(region, level, i,
						    word / WORD_BITS)); // hint
		if (line & bit)
			free_index_unmark(region, level, i, word / WORD_BITS,
					  bit);
	}
}

void free_index_refile(struct region *region, unsigned level, uint32_t word)
{
	_Atomic(uint64_t) *at = &region->levels[level].words[word];
	unsigned round, k;

	if (level == NR_LEVELS - 1)
		return;
	for (round = 0; round < FREE_INDEX_ROUNDS; round++) {
		k = unit_word_class(load_relaxed(at)); // hint
		free_index_unmark_others(region, level, k, word);
		if (k != UNIT_WORD_CLASSES)
			free_index_mark(region, level, k, word / WORD_BITS,
					bits_one(word % WORD_BITS));
		if (unit_word_class(load_relaxed(at)) == k) // hint
			return;
	}
}

/* Returns the children of one parent that are filed under k; an empty line's
 * summary bit is repaired. */
static uint64_t free_index_children(struct region *region, unsigned level,
				    unsigned k, uint32_t parent)
{
	uint64_t line =
		load_relaxed(free_index_line(region, level, k, parent)); // hint

	if (unlikely(!line))
		free_index_summary_unmark(&region->levels[level], k, parent);
	return line;
}

static force_inline uint32_t fit_next_in(struct region *region, unsigned level,
					 unsigned k, uint32_t from,
					 unsigned node)
{
	struct level *lv = &region->levels[level];
	uint64_t end = load_relaxed(free_index_summary_end(lv)); // hint
	uint32_t parent = from / WORD_BITS, index = parent / WORD_BITS,
		 start = index, at;
	uint64_t parents, children;

	for (; index < end; index++) {
		// hint
		parents = load_relaxed(free_index_summary(lv, k, index));
		if (index == start)
			parents &= ~bits_low(parent % WORD_BITS);
		for (; parents; parents &= parents - 1) {
			at = index * WORD_BITS + bits_first(parents);
			children = free_index_children(region, level, k, at) &
				   node_hugepages(region, at, node);
			if (at == parent)
				children &= ~bits_low(from % WORD_BITS);
			if (children)
				return at * WORD_BITS + bits_first(children);
		}
	}
	return FREE_INDEX_NONE;
}

uint32_t free_index_next(struct region *region, unsigned level, unsigned k,
			 uint32_t from)
{
	return fit_next_in(region, level, k, from, NODE_ANY);
}

uint32_t fit_next_of(struct region *region, unsigned k, uint32_t from,
		     unsigned node)
{
	return fit_next_in(region, 0, k, from, node);
}

uint32_t free_index_previous(struct region *region, unsigned level, unsigned k,
			     uint32_t below)
{
	struct level *lv = &region->levels[level];
	uint64_t end = load_relaxed(free_index_summary_end(lv)); // hint
	uint32_t parent = below / WORD_BITS, index = parent / WORD_BITS + 1,
		 start = index, at;
	uint64_t parents, children;

	if (index > end)
		index = (uint32_t)end;
	for (; index > 0; index--) {
		// hint
		parents = load_relaxed(free_index_summary(lv, k, index - 1));
		if (index == start)
			parents &= bits_low(parent % WORD_BITS + 1);
		for (; parents; parents &= ~bits_one(bits_last(parents))) {
			at = (index - 1) * WORD_BITS + bits_last(parents);
			children = free_index_children(region, level, k, at);
			if (at == parent)
				children &= bits_low(below % WORD_BITS);
			if (children)
				return at * WORD_BITS + bits_last(children);
		}
	}
	return FREE_INDEX_NONE;
}
