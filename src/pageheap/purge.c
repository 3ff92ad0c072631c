/* layer 2.8: purge: the walk over the hints */
#include "pageheap/purge.h"

#include "pageheap/account.h"
#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/free_index.h"
#include "pageheap/level.h"
#include "pageheap/request.h"
#include "system/helper.h"
#include "system/system.h"

/* What one give purges, a hugepage or some times what it gave: the heap gets
 * below its budget, and no call does the work of thousands. Who has done little
 * and comes to a hugepage that is free as a whole does not cut it for the sake
 * of that little: each would go by two calls, give by give. */
#define PIECE_LEAST ((size_t)2 << 20)
#define PIECE_FACTOR 4
#define PIECE_PART 4 /* up to a quarter is little, and what is beyond */
/* Free dirty memory at which gives purge although they have asked. */
#define BOUND_FACTOR 2
#define BOUND_SLACK ((size_t)16 << 20)

/* Refused calls after which a walk ends, and what the last range adds. */
#define REFUSED_MOST 128

/* A place of the walk: region's index << 32 | hugepage. */
#define PLACE_TOP ((uint64_t)NR_REGIONS_MOST << 32)

struct walk {
	size_t keep_size;
	size_t most_size;
	size_t piece_size; /* 0: any hugepage may be cut */
	size_t done_size;
	uint32_t nr_kept;
	uint32_t nr_refused;
	uint32_t refused_most;
	bool stops; /* for who waits for the helper's end */
};

/* Finds the next hint below the place; false: there is none. */
static bool walk_down(uint64_t *place)
{
	uint32_t below = (uint32_t)*place, h;
	unsigned i = (unsigned)(*place >> 32) + 1;

	for (; i-- > 0; below = UINT32_MAX) {
		if (i >= NR_REGIONS_MOST || !region_is_ready(&regions[i]))
			continue;
		h = free_index_previous(&regions[i], 0, FREE_INDEX_DIRTY,
					below);
		if (h == FREE_INDEX_NONE)
			continue;
		*place = (uint64_t)i << 32 | h;
		return true;
	}
	return false;
}

/* A range may give more than was asked for. */
static bool walk_wants(const struct walk *walk)
{
	return budget_dirty_size() > walk->keep_size &&
	       walk->done_size + system_page_size() <= walk->most_size;
}

/* Purges the hugepage at the place, and moves to the lowest one that went with
 * it. */
static void walk_purge(struct walk *walk, uint64_t *place)
{
	size_t dirty = budget_dirty_size();
	size_t beyond = dirty - min_size(dirty, walk->keep_size);
	struct dirty_purged purged;

	purged = dirty_purge(&regions[*place >> 32], (uint32_t)*place,
			     div_up(beyond, UNIT_SIZE),
			     (walk->most_size - walk->done_size) >> UNIT_SHIFT);
	budget_purged(purged.nr_units, purged.nr_calls);
	walk->done_size += (size_t)purged.nr_units << UNIT_SHIFT;
	walk->nr_kept += purged.nr_kept;
	walk->nr_refused += purged.nr_refused;
	*place = *place >> 32 << 32 | purged.hugepage;
}

/* Whether the hugepage at the place is free as a whole, and less of it may go
 * than is dirty. */
static bool walk_cuts(const struct walk *walk, uint64_t place)
{
	struct region *region = &regions[place >> 32];
	uint32_t hugepage = (uint32_t)place;
	size_t left = (walk->most_size - walk->done_size) >> UNIT_SHIFT;
	uint64_t dirty = load_relaxed(&region->dirty[hugepage]); // hint

	return level_free_hugepages(region, hugepage / WORD_BITS) &
		       bits_one(hugepage % WORD_BITS) &&
	       bits_count(dirty) > left;
}

/* Makes room for the hugepage at the place, so that it goes whole. */
static void walk_widen(struct walk *walk, uint64_t place)
{
	if (walk->done_size <= walk->piece_size / PIECE_PART &&
	    walk_cuts(walk, place))
		walk->most_size = walk->done_size + HUGEPAGE_SIZE;
}

/* Walks from below `place` down to `end`; true: came there, and wants more. */
static bool walk_range(struct walk *walk, uint64_t place, uint64_t end)
{
	while (walk_wants(walk)) {
		if (!walk_down(&place) || place < end)
			return true;
		if (walk->piece_size)
			walk_widen(walk, place);
		walk_purge(walk, &place);
		if (unlikely(walk->stops && helper_is_awaited()))
			return false;
		if (unlikely(walk->nr_refused > walk->refused_most)) {
			store_relaxed(&budget.purge_place, place);
			return false;
		}
	}
	return false;
}

/* Goes on where refusals ended the walk before, then from the top. */
static void walk_all(struct walk *walk)
{
	uint64_t place = load_relaxed(&budget.purge_place);

	if (!walk_range(walk, place ? place : PLACE_TOP, 0) || !place)
		return;
	store_relaxed(&budget.purge_place, 0);
	walk_range(walk, PLACE_TOP, place);
}

static size_t purge_walk(struct walk walk)
{
	bool more = load_relaxed(&budget.purge_place);

	walk_all(&walk);
	if (walk.done_size)
		budget_purge_time();
	if (unlikely(walk.nr_refused)) {
		budget_refused(walk.nr_kept, more);
		if (!walk.done_size)
			store_relaxed(&budget.refused, 1);
	}
	return walk.done_size;
}

size_t purge_down(size_t keep_size, size_t most_size, bool stops)
{
	return purge_walk((struct walk){ .keep_size = keep_size,
					 .most_size = most_size,
					 .refused_most = REFUSED_MOST,
					 .stops = stops });
}

size_t purge_all(size_t keep_size)
{
	return purge_walk((struct walk){ .keep_size = keep_size,
					 .most_size = SIZE_MAX,
					 .refused_most = UINT32_MAX });
}

bool purge_try_held(struct region *region, uint32_t unit, uint32_t n)
{
	if (!dirty_try_drop_held(region, unit, n))
		return false;
	budget_given_purged(n);
	return true;
}

/* Purges some more than is too much, so that the next give finds room. */
static size_t purge_to_budget(size_t keep_size, size_t most_size, bool stops)
{
	uint64_t nr_purges = load_relaxed(&budget.nr_purges);
	size_t done = purge_walk(
		(struct walk){ .keep_size = keep_size - keep_size / 8,
			       .most_size = most_size,
			       .piece_size = most_size,
			       .refused_most = REFUSED_MOST,
			       .stops = stops });

	/* Nothing found, and not since another purger was faster: a thread
	 * died and left the counter too high. */
	if (!done && budget_dirty_size() > keep_size &&
	    load_relaxed(&budget.nr_purges) == nr_purges) // counter
		store_relaxed(&budget.refused, 1);
	return done;
}

static size_t purge_bound(size_t keep_size)
{
	return BOUND_FACTOR * keep_size + BOUND_SLACK;
}

/* Returns what gives keep: the budget, and what cannot be purged. */
static size_t purge_keep_size(void)
{
	return budget_size() + load_relaxed(&budget.refused_size);
}

bool purge_is_huge(size_t size)
{
	if (likely(size <= BOUND_SLACK))
		return false;
	return size > purge_bound(budget_size_without(size)) ||
	       size > budget_run_most();
}

void purge_beyond_budget(size_t given_size)
{
	size_t keep = purge_keep_size(), dirty = budget_dirty_size();

	if (likely(dirty <= keep))
		return;
	if (load_relaxed(&budget.refused))
		return;
	if (dirty <= purge_bound(keep) && request_purge())
		return;
	purge_to_budget(keep, max_size(PIECE_LEAST, PIECE_FACTOR * given_size),
			false);
}

size_t purge_requested(void)
{
	size_t keep = purge_keep_size();

	if (budget_dirty_size() <= keep)
		return 0;
	return purge_to_budget(keep, SIZE_MAX, true);
}
