/* layer 5.10: stats: the numbers of lanemalloc_stats(), of all layers
 *
 * Counters come from the layers that keep them. Live and free bytes of small
 * blocks are kept nowhere, so that the fast paths keep nothing: they follow
 * from a walk over the tags of all committed units (walk.h),
 *
 *	live = objects of all slabs - free in slabs - cached by CPUs
 *
 * Differences that would be negative count as 0. So the sum is a snapshot,
 * exact when nobody allocates.
 *
 * Wait-free: one pass of bounded length. Nothing here allocates or takes a
 * stream's lock, so all of it runs in signal handlers and after main.
 */
#include "front/stats.h"

#include "base/bits.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "cpucache/rseq.h"
#include "front/alloc.h"
#include "front/foreign.h"
#include "front/quarantine.h"
#include "front/start.h"
#include "front/walk.h"
#include "guard/pool.h"
#include "pageheap/budget.h"
#include "pageheap/hugepages.h"
#include "pageheap/limit.h"
#include "pageheap/page_heap.h"
#include "slab/bin.h"
#include "slab/fitted_class.h"

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void gather_blocks(struct lanemalloc_stats *out)
{
	struct walk walk = { 0 };
	uint64_t held;

	walk_heap(&walk);
	held = minus(walk.slab_size, walk.slab_free_size);
	out->cached_size = min_size(out->cached_size, held);
	out->live_large_size = walk.large_size;
	out->live_size = minus(held - out->cached_size + walk.large_size +
				       guarded_live_size(),
			       quarantine_size());
	out->slab_free_size = min_size(walk.slab_free_size, walk.slab_size);
	out->nr_slabs = walk.nr_slabs;
	out->nr_large = walk.nr_large;
}

static void gather_page_heap(struct lanemalloc_stats *out)
{
	struct page_heap_stats s = { 0 };

	page_heap_stats(&s);
	out->free_dirty_size = s.free_dirty_size;
	out->free_clean_size = s.free_clean_size;
	out->purged_size = s.purged_size;
	out->metadata_size = s.metadata_size;
	out->reserved_size = s.reserved_size;
	out->committed_size = s.committed_size;
	out->budget_size = s.budget_size;
	out->nr_purges = s.nr_purges;
}

static void gather_hugepages(struct lanemalloc_stats *out)
{
	out->hugepage_size = load_relaxed(&hugepages.advised_size);
	out->small_fault_ns = load_relaxed(&hugepages.small_ns);
	out->hugepage_fault_ns = load_relaxed(&hugepages.huge_ns);
}

static void gather_limits(struct lanemalloc_stats *out)
{
	out->limited_size = (budget_resident_size() >> UNIT_SHIFT) *
			    LIMIT_UNIT_SIZE;
	out->limit_soft_size = limit_soft_size();
	out->limit_hard_size = load_relaxed(&limit.hard_size); // own
	out->nr_limit_hits = load_relaxed(&limit.nr_hits);
	out->nr_pressures = load_relaxed(&limit.nr_served);
	out->pressure_reason = load_relaxed(&limit.last);
}

static void gather_cpu_caches(struct lanemalloc_stats *out)
{
	struct cpu_cache_stats s = { 0 };

	cpu_cache_stats(&s);
	out->cached_size = s.cached_size;
	out->nr_cpu_caches = s.nr_cpu_caches;
	out->nr_refills = s.nr_refills;
	out->nr_flushes = s.nr_flushes;
	out->nr_aborts = s.nr_aborts;
	out->nr_direct = s.nr_direct;
	out->nr_drains = drain_count();
}

static void gather_bins(struct lanemalloc_stats *out)
{
	struct bin_stats s = { 0 };

	bin_stats(&s);
	out->nr_remote_frees = s.nr_remote_frees;
	out->nr_remote_slabs = s.nr_remote_slabs;
	out->nr_steals = s.nr_steals;
	out->slab_purged_size = s.purged_size;
	out->metadata_size += s.sets_size;
	out->nr_fitted_classes = fitted_class_count();
}

void stats_gather(struct lanemalloc_stats *out)
{
	*out = (struct lanemalloc_stats){ 0 };
	out->nr_foreign_frees = foreign_nr_frees();
	out->nr_out_of_memory = heap_nr_out_of_memory();
	if (!heap_start())
		return;
	gather_cpu_caches(out);
	gather_page_heap(out);
	gather_bins(out); /* adds to metadata_size */
	gather_hugepages(out);
	gather_limits(out);
	gather_blocks(out);
}

const char *stats_mode(const char **why)
{
	static const char *const names[] = {
		[MODE_DIRECT] = "direct",
		[MODE_MM_CID] = "mm_cid",
		[MODE_CPU_ID] = "cpu_id",
	};

	if (why) {
		// hint: all reasons are constants
		const char *text = load_relaxed(&rseq_state.why);

		*why = text ? text : "";
	}
	return names[load_relaxed(&rseq_state.mode)]; // hint: one word
}
