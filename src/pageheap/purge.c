/* layer 2.8: purge: the walk over the hints */
#include "pageheap/purge.h"

#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/fit.h"
#include "system/system.h"

/* What one give purges at most: some times what it gave, so that the heap
 * gets below its budget, and no call does the work of thousands. */
#define PIECE_LEAST ((size_t)8 << 20)
#define PIECE_FACTOR 4

/* Adds to *done; false: the system refused, go no further. */
static bool purge_region(struct region *region, size_t keep_size,
			 size_t most_size, size_t *done)
{
	uint32_t h = region->levels[0].nr_words;
	struct dirty_purged purged;

	while (budget_dirty_size() > keep_size &&
	       most_size - *done >= system_page_size()) {
		h = fit_previous(region, 0, FIT_DIRTY, h);
		if (h == FIT_NONE)
			return true;
		purged = dirty_purge_hugepage(
			region, h, (most_size - *done) >> UNIT_SHIFT);
		budget_purged(purged.nr_units, purged.nr_calls);
		*done += (size_t)purged.nr_units << UNIT_SHIFT;
		if (unlikely(purged.refused))
			return false;
	}
	return true;
}

size_t purge_down(size_t keep_size, size_t most_size)
{
	unsigned i = NR_REGIONS_MOST;
	size_t done = 0;

	while (i-- > 0) {
		if (!region_is_ready(&regions[i]))
			continue;
		if (!purge_region(&regions[i], keep_size, most_size, &done)) {
			store_relaxed(&budget.refused, 1); // hint
			break;
		}
	}
	if (done)
		budget_purge_time();
	return done;
}

void purge_beyond_budget(size_t given_size)
{
	size_t keep = budget_size();
	size_t most = max_size(PIECE_LEAST, PIECE_FACTOR * given_size);
	uint64_t nr_purges;

	if (likely(budget_dirty_size() <= keep))
		return;
	if (load_relaxed(&budget.refused)) // hint
		return;
	nr_purges = load_relaxed(&budget.nr_purges); // counter
	/* Nothing found, and not since another purger was faster: a thread
	 * died and left the counter too high. */
	if (!purge_down(keep - keep / 8, most) &&
	    load_relaxed(&budget.nr_purges) == nr_purges) // counter
		store_relaxed(&budget.refused, 1); // hint
}
