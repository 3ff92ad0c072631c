/* layer 2.8: purge: the walk over the hints */
#include "pageheap/purge.h"

#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/fit.h"
#include "pageheap/request.h"
#include "system/system.h"

/* What one give purges at most: some times what it gave, so that the heap
 * gets below its budget, and no call does the work of thousands. */
#define PIECE_LEAST ((size_t)8 << 20)
#define PIECE_FACTOR 4
/* Free dirty memory at which gives purge although they have asked. */
#define BOUND_FACTOR 2
#define BOUND_SLACK ((size_t)16 << 20)

/* Adds to *done; false: the system refused, go no further. */
static bool purge_region(struct region *region, size_t keep_size,
			 size_t most_size, size_t *done)
{
	uint32_t h = region->levels[0].nr_words;
	struct dirty_purged purged;

	/* A hugepage may give more than was asked for. */
	while (budget_dirty_size() > keep_size &&
	       *done + system_page_size() <= most_size) {
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

/* Purges some more than is too much, so that the next give finds room. */
static size_t purge_to_budget(size_t keep_size, size_t most_size)
{
	uint64_t nr_purges = load_relaxed(&budget.nr_purges); // counter
	size_t done = purge_down(keep_size - keep_size / 8, most_size);

	/* Nothing found, and not since another purger was faster: a thread
	 * died and left the counter too high. */
	if (!done && budget_dirty_size() > keep_size &&
	    load_relaxed(&budget.nr_purges) == nr_purges) // counter
		store_relaxed(&budget.refused, 1); // hint
	return done;
}

static size_t purge_bound(size_t keep_size)
{
	return BOUND_FACTOR * keep_size + BOUND_SLACK;
}

void purge_beyond_budget(size_t given_size)
{
	size_t keep = budget_size(), dirty = budget_dirty_size();

	if (likely(dirty <= keep))
		return;
	if (load_relaxed(&budget.refused)) // hint
		return;
	if (dirty <= purge_bound(keep) && request_purge())
		return;
	purge_to_budget(keep, max_size(PIECE_LEAST, PIECE_FACTOR * given_size));
}

size_t purge_requested(void)
{
	size_t keep = budget_size();

	if (budget_dirty_size() <= keep)
		return 0;
	return purge_to_budget(keep, SIZE_MAX);
}
