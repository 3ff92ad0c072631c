/* layer 2.4: level: words of granules, one above the other
 *
 * A granule of level l is 64^l units. Bit i of word w of level l is granule
 * 64 w + i, and word w itself describes granule w of level l + 1, its parent.
 * Bit set = free. Per granule:
 *
 *	free	bit set; its word one level down is 0 (*closed*)
 *	open	bit clear, carved: the word below has its parts
 *	held	bit clear, claimed whole by one thread; the word below is 0
 *
 *	carve:    claim the granule's bit (CAS), then store the word below
 *	coalesce: CAS the word below from all ones to 0, then set the bit
 *
 * Invariant: a granule whose bit is set has only zeros below it. "Open and
 * all taken" and "held" look the same, so whoever holds all the parts of a
 * granule may release it as one bit at the higher level, and 64 hugepages
 * come back by one atomic operation.
 *
 * A word is written by CAS (claim), by fetch_or (release), and by a plain
 * store only in carve, by the thread that has just claimed the parent bit:
 * then nobody holds a part of the granule, so no release can be lost, and no
 * CAS succeeds on the 0 that the store replaces. A sleeper's CAS that expects
 * an earlier value of a reopened word succeeds only if the same granules are
 * free again, and then it is right.
 *
 * Level 0 is coalesced by the release that completes a hugepage. The levels
 * above are coalesced when an allocation at level 2 or above finds nothing.
 * A thread that dies between the two steps of carve or coalesce strands that
 * one granule of address space; it blocks nobody.
 *
 * All operations are lock-free: a CAS fails only because another thread
 * changed the word.
 */
#ifndef LANE_LEVEL_H
#define LANE_LEVEL_H

#include "pageheap/free_index.h"

#define LEVEL_SHIFT 6

/* Where a search looks. */
struct search {
	uint8_t node; /* in hugepages of that node, and in those that are free
		       * and clean; NODE_ANY: in all */
	bool all;     /* at all words, and not at the first few of a class */
};

/* Claims n (1..64) granules of a level within one word, the first at a
 * multiple of align (1..64) granules. False: nothing there or above, as far as
 * is searched. A hugepage that it opens becomes the node's. */
bool level_take(struct region *region, unsigned level, unsigned n,
		unsigned align, struct search search, uint32_t *granule);

/* Claims as level_take() does, within one given word, without carving; of level
 * 0 it must be the node's. */
bool level_try_take(struct region *region, unsigned level, uint32_t word,
		    unsigned n, unsigned align, unsigned node,
		    uint32_t *granule);

/* Claims n (1..64) units of one hugepage that all are dirty: of hugepage
 * `near` (FREE_INDEX_NONE: none), else of the lowest that has such a run and is
 * the node's. Looks at a few of those with the purge's hint; false: not among
 * them. */
bool level_take_dirty(struct region *region, uint32_t near, unsigned n,
		      unsigned align, unsigned node, uint32_t *unit);

/* Claims n units that begin at a hugepage (n > 64), where a search for the node
 * looks. */
bool level_take_units(struct region *region, uint32_t n, unsigned node,
		      uint32_t *unit);

/* Claims n units wherever they lie free side by side, at the cost of a look
 * at every hugepage: before memory is declared to be short. */
bool level_take_anywhere(struct region *region, uint32_t n, uint32_t *unit);

/* Says how many units right below `end` are free, at most `most`; a hint. */
uint32_t level_free_below(struct region *region, uint32_t end, uint32_t most);

/* Claims exactly these granules of one word, carving from above where the
 * word is closed. False: one of them is not free; nothing changed. May fail
 * while another thread carves the same granule. */
bool level_try_claim(struct region *region, unsigned level, uint32_t word,
		     uint64_t mask);

/* Claims exactly these units, all or none. */
bool level_try_claim_units(struct region *region, uint32_t unit, uint32_t n);

/* Releases granules of one word, which the caller holds. */
void level_release(struct region *region, unsigned level, uint32_t word,
		   uint64_t mask);

/* Releases any range of units that the caller holds, n may be 0, and tells
 * the purge which of its hugepages are dirty (see dirty.h). */
void level_release_units(struct region *region, uint32_t unit, uint32_t n);

/* Releases whole hugepages of which no unit is dirty. */
void level_release_clean(struct region *region, uint32_t unit, uint32_t n);

/* Files every word anew, for hints that died with their threads. Visits all
 * words below nr_taken. */
void level_repair(struct region *region);

/* Says which hugepages of a level 1 word are free, whatever level says so; a
 * hint. */
uint64_t level_free_hugepages(struct region *region, uint32_t word);

#endif
