/* layer 2.9: page heap: runs of units, lock-free
 *
 * Everything above asks here for whole units and gives them back here. Large
 * blocks and slabs alike are runs. take claims, give releases; the run's tags
 * are zero whenever it changes hands. A run's memory that has not been
 * touched since the system gave it (or since it was purged) reads as zero,
 * and take says so.
 *
 * All functions are lock-free, async-signal-safe, and leave errno alone. A
 * thread that dies inside one strands at most the run in its hands or one
 * granule of address space, and blocks nobody.
 */
#ifndef LANE_PAGE_HEAP_H
#define LANE_PAGE_HEAP_H

#include "pageheap/region.h"

struct run {
	struct region *region;
	uint32_t unit;
	uint32_t nr_units;
	bool zero; /* all of it reads as zero */
};

/* Claims nr_units > 0 units, the first one's address at a multiple of
 * align_units (a power of two) units. id is a hint: runs of one id keep
 * together. With `guard_stays` the last page of the last unit may be
 * inaccessible, if a block was there that ended so (guard_page.h). False: no
 * memory. */
bool page_heap_take_run(size_t nr_units, size_t align_units, unsigned id,
			bool guard_stays, struct run *out);

/* Claims a run as page_heap_take_run() does, with all of it accessible. */
static inline bool page_heap_take(size_t nr_units, size_t align_units,
				  unsigned id, struct run *out)
{
	return page_heap_take_run(nr_units, align_units, id, false, out);
}

/* Whether a run of that length could be free in what the system has given
 * already; a hint. */
bool page_heap_may_hold(size_t nr_units);

/* Releases units [unit, unit + nr_units), which the caller holds; they need
 * not be one taken run. May purge beyond the budget, or ask the helper to
 * (request.h). */
void page_heap_give(struct region *region, uint32_t unit, uint32_t nr_units);

/* Claims the nr_more units right behind unit + nr_units, all or none, so that
 * a large block grows in place. */
bool page_heap_try_extend(struct region *region, uint32_t unit,
			  uint32_t nr_units, uint32_t nr_more);

/* Gives free dirty memory back until at most keep_size bytes of it are left
 * or most_size bytes were given back; returns the latter. */
size_t page_heap_purge(size_t keep_size, size_t most_size);

/* Gives all free memory back and forgets what was learnt of keeping some; ends
 * early where somebody waits for the helper's end. The bytes. */
size_t page_heap_relieve(void);

/* Does the timed piece of purging: gives back what lay unused since the tick
 * before, at most most_size bytes; returns the bytes given back. Callers
 * elect themselves (see front/tick). */
size_t page_heap_tick(size_t most_size);

struct page_heap_stats {
	uint64_t reserved_size;	  /* addresses, mapped or not, all regions */
	uint64_t committed_size;  /* usable, metadata excluded */
	uint64_t claimed_size;	  /* in runs that were taken */
	uint64_t free_dirty_size; /* free, still ours */
	uint64_t free_clean_size; /* free, given back or never touched */
	uint64_t purged_size;	  /* given back since start, cumulative */
	uint64_t nr_purges;	  /* madvise calls */
	uint64_t regret_size;	  /* purged and soon wanted again */
	uint64_t budget_size;	  /* free dirty memory that is kept now */
	uint64_t metadata_size;	  /* resident, estimated from what is in use */
};
void page_heap_stats(struct page_heap_stats *out);

#endif
