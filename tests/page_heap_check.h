/* The page heap's invariants, and an exact count of what is free: walks all
 * regions, while no other thread is inside. */
#ifndef LANE_PAGE_HEAP_CHECK_H
#define LANE_PAGE_HEAP_CHECK_H

#include "pageheap/budget.h"
#include "pageheap/level.h"
#include "pageheap/page_heap.h"
#include "system/fault.h"

struct page_heap_count {
	uint64_t nr_free;     /* units, committed or not */
	uint64_t nr_data;     /* units behind the heads */
	uint64_t nr_dirty;    /* free and dirty units */
	uint64_t nr_unfiled;  /* words that a search of their class misses */
	uint64_t nr_stale;    /* words that are filed where they do not fit */
	uint64_t nr_unhinted; /* hugepages: free dirty units without a hint */
};

/* Free memory that the system has not got back, in bytes. */
static inline size_t page_heap_dirty_size(void)
{
	return budget_dirty_size();
}

static inline uint64_t check_word(const struct region *region, unsigned level,
				  uint32_t word)
{
	return load_relaxed(&region->levels[level].words[word]); // hint
}

/* The end of a level's words that may be other than untouched. */
static inline uint32_t check_end(const struct region *region, unsigned level)
{
	uint32_t taken = load_relaxed(&region->nr_taken); // hint

	if (level > 0)
		return region->levels[level].nr_words;
	return (uint32_t)div_up(taken, 64);
}

/* Invariant of level.h: below a free granule there are zeros. */
static inline void check_closed(const struct region *region, unsigned level)
{
	for (uint32_t word = 0; word < check_end(region, level); word++) {
		uint64_t parent = check_word(region, level + 1, word / 64);

		if (!check_word(region, level, word))
			continue;
		if (parent & bits_one(word % 64))
			fault("page heap: level %u word %u is open in a free "
			      "granule",
			      level, word);
	}
}

/* Granules that reach beyond what is mapped are never free. */
static inline void check_bounds(const struct region *region, unsigned level)
{
	unsigned shift = level * LEVEL_SHIFT;
	uint32_t end = load_relaxed(&region->nr_taken) >> shift; // hint
	uint32_t word = end / 64;
	uint64_t stray = 0;

	if (word < region->levels[level].nr_words)
		stray = check_word(region, level, word) & ~bits_low(end % 64);
	while (++word < region->levels[level].nr_words)
		stray |= check_word(region, level, word);
	if (stray)
		fault("page heap: level %u has units that it must not have",
		      level);
}

/* What was never taken is not dirty; what is dirty is mapped. */
static inline void check_dirty(const struct region *region)
{
	uint32_t used = load_relaxed(&region->nr_used);   // hint
	uint32_t taken = load_relaxed(&region->nr_taken); // hint
	uint64_t last = 0;

	if (used / 64 < region->levels[0].nr_words)
		last = load_relaxed(&region->dirty[used / 64]) & // hint
		       ~bits_low(used % 64);
	if (used > taken || last)
		fault("page heap: unit %u is dirty and was never taken", used);
}

/* Verifies: words, dirty words and levels agree; calls fault() if not. */
static inline void page_heap_check(void)
{
	for (unsigned i = 0; i < NR_REGIONS_MOST; i++) {
		if (!region_is_ready(&regions[i]))
			continue;
		for (unsigned level = 0; level < NR_LEVELS; level++)
			check_bounds(&regions[i], level);
		for (unsigned level = 0; level < NR_LEVELS - 1; level++)
			check_closed(&regions[i], level);
		check_dirty(&regions[i]);
	}
}

/* The free units of a hugepage, whatever level says so. */
static inline uint64_t count_free(struct region *region, uint32_t hugepage)
{
	if (level_free_hugepages(region, hugepage / 64) &
	    bits_one(hugepage % 64))
		return ALL_ONES;
	return check_word(region, 0, hugepage);
}

static inline void count_dirty(struct region *region,
			       struct page_heap_count *out)
{
	uint32_t h = 0;
	uint64_t dirty;

	for (; h < check_end(region, 0); h++) {
		dirty = load_relaxed(&region->dirty[h]); // hint
		if (!dirty)
			continue;
		dirty &= count_free(region, h);
		out->nr_dirty += bits_count(dirty);
		out->nr_unhinted += dirty &&
				    free_index_next(region, 0, FREE_INDEX_DIRTY,
						    h) != h;
	}
}

static inline void count_filing(struct region *region, unsigned level,
				uint32_t word, struct page_heap_count *out)
{
	unsigned k = unit_word_class(check_word(region, level, word)), i;
	uint64_t line;

	if (k != UNIT_WORD_CLASSES)
		out->nr_unfiled += free_index_next(region, level, k, word) !=
				   word;
	for (i = 0; i < UNIT_WORD_CLASSES; i++) {
		line = load_relaxed(
			free_index_line(region, level, i, word / 64)); // hint
		out->nr_stale += i != k && line & bits_one(word % 64);
	}
}

static inline void count_level(struct region *region, unsigned level,
			       struct page_heap_count *out)
{
	uint64_t free;

	for (uint32_t word = 0; word < check_end(region, level); word++) {
		free = check_word(region, level, word);
		out->nr_free += (uint64_t)bits_count(free)
				<< (level * LEVEL_SHIFT);
		if (level < NR_LEVELS - 1)
			count_filing(region, level, word, out);
	}
}

static inline void page_heap_count(struct page_heap_count *out)
{
	*out = (struct page_heap_count){ 0 };
	for (unsigned i = 0; i < NR_REGIONS_MOST; i++) {
		if (!region_is_ready(&regions[i]))
			continue;
		out->nr_data += load_relaxed(&regions[i].nr_mapped); // counter
		for (unsigned level = 0; level < NR_LEVELS; level++)
			count_level(&regions[i], level, out);
		count_dirty(&regions[i], out);
	}
}

#endif
