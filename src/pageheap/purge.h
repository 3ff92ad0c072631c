/* layer 2.8: purge: gives free dirty memory back, hugepage by hugepage
 *
 * High addresses first, as allocation prefers low ones. Each hugepage with a
 * hint is visited at most once a call, and a refusal by the system ends the
 * call, so it ends however madvise behaves. Lock-free.
 */
#ifndef LANE_PURGE_H
#define LANE_PURGE_H

#include "pageheap/region.h"

/* Purges until at most keep_size bytes of free dirty memory are left (less
 * than a hugepage may be purged beyond) or most_size bytes were given back;
 * returns those. */
size_t purge_down(size_t keep_size, size_t most_size);

/* What is beyond the budget: asks the reclaimer for it, and without one, or
 * where that is too slow, purges a piece in proportion to what was just
 * given. */
void purge_beyond_budget(size_t given_size);

/* The reclaimer's part: purges all that is beyond the budget; the bytes. */
size_t purge_requested(void);

#endif
