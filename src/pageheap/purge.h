/* layer 2.8: purge: gives free dirty memory back, range by range
 *
 * High addresses first, as allocation prefers low ones. Each hugepage with a
 * hint is visited at most once a call, and a range costs at most two calls of
 * madvise a hugepage that refuses, so a walk ends however madvise behaves.
 *
 * Where the system refuses (locked pages) the walk goes on below. One that was
 * refused too often ends, and leaves its place for the next to go on at
 * (budget.purge_place): so the work of one walk is bounded, and all of the
 * heap has its turn, also if the highest thousand of hugepages are locked. The
 * place is a hint; two walks that write it may visit a part twice or leave it
 * to the next lap.
 *
 * A run so large that a give would purge by itself for it alone, or that no
 * budget keeps, is purged by the thread that frees it, while it holds it: one
 * call, however much of it was touched; it is never marked. A thread that dies
 * there strands that run.
 *
 * Lock-free.
 */
#ifndef LANE_PURGE_H
#define LANE_PURGE_H

#include "pageheap/region.h"

/* Purges until at most keep_size bytes of free dirty memory are left (less
 * than a hugepage may be purged beyond) or most_size bytes were given back;
 * returns those. stops: after a piece, where somebody waits for the helper's
 * end; the helper's own work does. */
size_t purge_down(size_t keep_size, size_t most_size, bool stops);

/* Purges as purge_down() does, for keep_size alone, however often the system
 * refuses. */
size_t purge_all(size_t keep_size);

/* Whether a run of that size goes back as it is freed. */
bool purge_is_huge(size_t size);

/* Gives n units that the caller has claimed back, and counts them as given and
 * clean; they are to be released next. False: refused, nothing changed. */
bool purge_try_held(struct region *region, uint32_t unit, uint32_t n);

/* Asks the helper to purge what is beyond the budget, and without one, or where
 * that is too slow, purges a piece in proportion to what was just given. */
void purge_beyond_budget(size_t given_size);

/* Purges, as the helper, all that is beyond the budget; returns the bytes. */
size_t purge_requested(void);

#endif
