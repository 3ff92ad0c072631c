/* layer 2.3: free index: which words have room for what
 *
 * For the words of a level (children) and their parent words, one line of
 * eight words a parent: bit i of line[k], k < 7, says that child i of that
 * parent has its largest free run in [2^k, 2^(k+1)) granules. Closed and full
 * children are in no class. Level 0 uses line[FREE_INDEX_DIRTY] for the purge:
 * bit i says that hugepage i may have units that are free and dirty. A summary
 * word has one bit for each of 64 parents whose line[k] is not empty, so that a
 * search costs a few loads in a heap of any size.
 *
 * All of it is a hint. Who finds a word in the wrong class files it again;
 * what no hint names is found by free_index_refile() of everything, which is
 * done before memory is declared to be short (level_repair()). A thread that
 * dies before it has filed its change hides one word until the next change of
 * that word's class or the next repair.
 *
 * Why no change is lost among living threads (A and B both refile W):
 *
 *	A reads W: class 3		.
 *	.				B changes W to class 2
 *	.				B clears line[3], sets line[2]
 *	A clears line[2], sets line[3]	W is filed wrongly
 *
 * A's read-modify-write of line[2] comes after B's, acquires it, and so A's
 * second look at W sees B's change and A goes round again. Setting is never
 * skipped, even if the bit is set already: the skip would leave no such edge.
 * Clearing may be skipped; a bit too many is repaired by the next searcher. A
 * round is repeated only after another thread changed W's class, and that
 * thread files W itself. After a few rounds it stops all the same: if the
 * class changed in each of them, its last clearing may meet the other's last
 * setting, and W is hidden until its next change or the next repair.
 *
 * All operations are wait-free.
 */
#ifndef LANE_FREE_INDEX_H
#define LANE_FREE_INDEX_H

#include "pageheap/hugepage_node.h"
#include "pageheap/region.h"
#include "pageheap/unit_word.h"

#define FREE_INDEX_LINE 8
#define FREE_INDEX_DIRTY 7
#define FREE_INDEX_NONE UINT32_MAX

/* Files the word according to what it holds now. */
void free_index_refile(struct region *region, unsigned level, uint32_t word);

/* Files a word whose content the caller changed, if its class changed. */
static force_inline void free_index_changed(struct region *region,
					    unsigned level, uint32_t word,
					    uint64_t from, uint64_t to)
{
	if (unlikely(!unit_word_same_class(from, to)))
		free_index_refile(region, level, word);
}

/* Sets or clears bits of line k of a parent, and its summary. */
void free_index_mark(struct region *region, unsigned level, unsigned k,
		     uint32_t parent, uint64_t mask);
void free_index_unmark(struct region *region, unsigned level, unsigned k,
		       uint32_t parent, uint64_t mask);

/* Sets bits as free_index_mark() does, without a write where all are set; for
 * a Dekker pair with a clearer that looks again after it cleared. */
void free_index_mark_missing(struct region *region, unsigned level, unsigned k,
			     uint32_t parent, uint64_t mask);

/* Finds the lowest child >= from, or the highest child < below, that is filed
 * under k; FREE_INDEX_NONE where there is none. */
uint32_t free_index_next(struct region *region, unsigned level, unsigned k,
			 uint32_t from);
/* Finds the lowest of the node's hugepages alone. */
uint32_t fit_next_of(struct region *region, unsigned k, uint32_t from,
		     unsigned node);
uint32_t free_index_previous(struct region *region, unsigned level, unsigned k,
			     uint32_t below);

static force_inline _Atomic(uint64_t) *
free_index_line(const struct region *region, unsigned level, unsigned k,
		uint32_t parent)
{
	return &region->levels[level]
			.free_index[(size_t)parent * FREE_INDEX_LINE + k];
}

#endif
