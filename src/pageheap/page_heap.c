/* layer 2.9: page heap: take, give, extend
 *
 * take: claim (level.h), then commit, then count. If the commit fails the
 * claim is released again and nothing has changed. give: mark dirty, count,
 * release, hint, then purge beyond the budget. Of a huge run (purge.h) the
 * whole hugepages are purged first, and released without a mark.
 *
 * A thread that dies in take or give strands the run in its hands. Counters
 * may be off by that run for good.
 */
#include "pageheap/page_heap.h"

#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/level.h"
#include "pageheap/purge.h"

/* Runs above this do not decide where the CPU's next small run goes. */
#define PREFER_UNITS_MOST 16
#define NR_PREFERRED 64
/* Takes after another CPU's in which the CPUs count as several. */
#define SEVERAL_TAKES 64
/* Regions added by one call, if other threads use them up meanwhile. */
#define ADDS_MOST 4

/* Where the runs of a CPU went last; region index << 32 | hugepage. */
static struct preferred {
	_Atomic(uint64_t) place; /* hint */
} __attribute__((aligned(CACHE_LINE))) preferred[NR_PREFERRED];

/* Who took last: takes left in which the CPUs count as several << 32 | CPU. */
static _Atomic(uint64_t) last_taker; /* hint */

struct wish {
	uint32_t nr_units;
	uint32_t align_units;
	unsigned cpu;
};

/* FIT_NONE: in another region. */
static uint32_t page_heap_preferred(const struct region *region,
				    const struct wish *wish)
{
	struct preferred *at = &preferred[wish->cpu % NR_PREFERRED];
	uint64_t place = load_relaxed(&at->place); // hint

	return place >> 32 == (uint64_t)(region - regions) ? (uint32_t)place :
							     FIT_NONE;
}

/* Whether several CPUs take at this time. */
static bool page_heap_several_take(const struct wish *wish)
{
	uint64_t last = load_relaxed(&last_taker); // hint
	bool same = (uint32_t)last == wish->cpu;
	uint64_t left = last >> 32;

	if (likely(same && !left))
		return false;
	left = same ? left - 1 : SEVERAL_TAKES;
	store_relaxed(&last_taker, left << 32 | wish->cpu); // hint
	return true;
}

/* Resident memory first. One CPU alone takes what lies lowest: where it went
 * on to a new hugepage it would fill that to the end, and leave free and
 * resident what it had before. Several begin with what is near to each, which
 * is in its cache. */
static bool page_heap_take_warm(struct region *region, const struct wish *wish,
				uint32_t near, uint32_t *unit)
{
	if (!page_heap_several_take(wish))
		near = FIT_NONE;
	return budget_dirty_size() >= (size_t)wish->nr_units << UNIT_SHIFT &&
	       level_take_warm(region, near, wish->nr_units, wish->align_units,
			       unit);
}

static void page_heap_prefer(struct region *region, const struct wish *wish,
			     uint32_t unit)
{
	struct preferred *at = &preferred[wish->cpu % NR_PREFERRED];
	uint64_t place = (uint64_t)(region - regions) << 32 | unit / 64;

	if (wish->nr_units <= PREFER_UNITS_MOST)
		store_relaxed(&at->place, place); // hint
}

/* A run within one hugepage. */
static bool page_heap_take_small(struct region *region, const struct wish *wish,
				 uint32_t *unit)
{
	uint32_t near = page_heap_preferred(region, wish);
	unsigned n = wish->nr_units, align = wish->align_units;

	if (!page_heap_take_warm(region, wish, near, unit)) {
		if (near < region->levels[0].nr_words &&
		    level_try_take(region, 0, near, n, align, unit))
			return true;
		if (!level_take(region, 0, n, align, unit))
			return false;
	}
	page_heap_prefer(region, wish, *unit);
	return true;
}

/* Whole hugepages at the front; alignment beyond a hugepage by claiming more
 * than needed. Alignment counts from address 0, not from the base. */
static bool page_heap_take_large(struct region *region, const struct wish *wish,
				 uint32_t *unit)
{
	size_t base_unit = (size_t)region->base >> UNIT_SHIFT;
	uint32_t n = wish->nr_units, total = n, first, end;

	if (wish->align_units > HUGEPAGE_UNITS)
		total += wish->align_units - HUGEPAGE_UNITS;
	if (!level_take_units(region, total, &first))
		return false;
	end = first + total;
	*unit = (uint32_t)(round_up(base_unit + first, wish->align_units) -
			   base_unit);
	level_release_units(region, first, *unit - first);
	level_release_units(region, *unit + n, end - (*unit + n));
	return true;
}

static bool page_heap_claim(struct region *region, const struct wish *wish,
			    uint32_t *unit)
{
	if (wish->nr_units <= HUGEPAGE_UNITS &&
	    wish->align_units <= HUGEPAGE_UNITS)
		return page_heap_take_small(region, wish, unit);
	return page_heap_take_large(region, wish, unit);
}

/* Counts clean units that were in use before; raises the high-water mark. */
static void page_heap_used(struct region *region, uint32_t unit, uint32_t n,
			   uint32_t nr_dirty)
{
	uint32_t used = load_relaxed(&region->nr_used); // hint
	uint32_t old = used > unit ? used - unit : 0;

	if (nr_dirty < n && old)
		budget_regret(min_size(n - nr_dirty, old) << UNIT_SHIFT);
	while (used < unit + n &&
	       !cas_relaxed(&region->nr_used, &used, unit + n)) // hint
		;
}

/* Makes a claimed run usable; releases it if that fails. */
static bool page_heap_finish(struct region *region, uint32_t unit, uint32_t n,
			     bool *zero)
{
	uint32_t nr_dirty;

	if (unlikely(!region_commit(region, unit + n))) {
		level_release_units(region, unit, n);
		return false;
	}
	nr_dirty = dirty_count(region, unit, n);
	budget_taken(n, nr_dirty);
	page_heap_used(region, unit, n, nr_dirty);
	*zero = !nr_dirty;
	return true;
}

static bool page_heap_take_once(struct region *region, const struct wish *wish,
				struct run *out)
{
	if (!page_heap_claim(region, wish, &out->unit))
		return false;
	out->region = region;
	out->nr_units = wish->nr_units;
	return page_heap_finish(region, out->unit, wish->nr_units, &out->zero);
}

/* The free units of the hugepage that is usable in part only, those above the
 * bound. */
static uint64_t page_heap_beyond(struct region *region, uint32_t committed)
{
	_Atomic(uint64_t) *words = region->levels[0].words;
	uint64_t free = load_relaxed(&words[committed / 64]); // hint
	uint64_t beyond = ~bits_low(committed % 64);

	return free ? free & beyond : beyond;
}

/* The system gives no more memory, but there may be a run in what it gave. So
 * that the next claim does not find the same unusable units again, they are
 * held meanwhile: nobody could use them. A thread that dies here strands at
 * most a hugepage of address space. */
static cold bool page_heap_take_usable(struct region *region,
				       const struct wish *wish,
				       struct run *out)
{
	uint32_t committed = load_relaxed(&region->nr_committed); // hint
	uint32_t word = committed / 64;
	uint64_t beyond;
	bool taken;

	if (word >= region->levels[0].nr_words)
		return false;
	beyond = page_heap_beyond(region, committed);
	if (!beyond || !level_try_claim(region, 0, word, beyond))
		return false;
	taken = page_heap_take_once(region, wish, out);
	level_release(region, 0, word, beyond);
	return taken;
}

static bool page_heap_take_in(struct region *region, const struct wish *wish,
			      struct run *out)
{
	return page_heap_take_once(region, wish, out) ||
	       page_heap_take_usable(region, wish, out);
}

/* Tries all regions, after a repair of their hints if so wished. */
static bool page_heap_take_any(const struct wish *wish, bool repair,
			       struct run *out)
{
	struct region *region;

	for (region = regions; region < regions + NR_REGIONS_MOST; region++) {
		// hint: slots fill in order
		if (load_relaxed(&region->state) == REGION_NONE)
			return false;
		if (!region_is_ready(region))
			continue;
		if (repair)
			level_repair(region);
		if (page_heap_take_in(region, wish, out))
			return true;
	}
	return false;
}

static cold bool page_heap_take_slow(const struct wish *wish, struct run *out)
{
	size_t nr_units = (size_t)wish->nr_units + wish->align_units;
	struct region *region;
	unsigned i;

	if (!region_start())
		return false;
	if (page_heap_take_any(wish, true, out))
		return true;
	for (i = 0; i < ADDS_MOST; i++) {
		region = region_add(nr_units);
		if (!region)
			break;
		if (page_heap_take_in(region, wish, out))
			return true;
	}
	/* Another thread may have added one. */
	return page_heap_take_any(wish, false, out);
}

bool page_heap_take(size_t nr_units, size_t align_units, unsigned cpu,
		    struct run *out)
{
	size_t most = REGION_SIZE_MOST >> UNIT_SHIFT;
	struct wish wish;

	if (nr_units > most || align_units > most)
		return false;
	wish.nr_units = (uint32_t)nr_units;
	wish.align_units = (uint32_t)align_units;
	wish.cpu = cpu;
	if (likely(page_heap_take_any(&wish, false, out)))
		return true;
	return page_heap_take_slow(&wish, out);
}

bool page_heap_may_hold(size_t nr_units)
{
	struct region *region;

	for (region = regions; region < regions + NR_REGIONS_MOST; region++)
		if (region_is_ready(region) &&
		    load_relaxed(&region->nr_committed) >= // hint
			    region->first_unit + nr_units)
			return true;
	return false;
}

static void page_heap_give_dirty(struct region *region, uint32_t unit,
				 uint32_t n)
{
	if (!n)
		return;
	dirty_mark(region, unit, n);
	budget_given(n);
	level_release_units(region, unit, n);
}

/* Its whole hugepages go to the system first, by one call; false: refused. */
static cold bool page_heap_give_huge(struct region *region, uint32_t unit,
				     uint32_t n)
{
	uint32_t first = (uint32_t)round_up(unit, HUGEPAGE_UNITS);
	uint32_t end = (uint32_t)round_down(unit + n, HUGEPAGE_UNITS);

	if (!purge_try_held(region, first / HUGEPAGE_UNITS,
			    (end - first) / HUGEPAGE_UNITS))
		return false;
	level_release_clean(region, first, end - first);
	page_heap_give_dirty(region, unit, first - unit);
	page_heap_give_dirty(region, end, unit + n - end);
	return true;
}

void page_heap_give(struct region *region, uint32_t unit, uint32_t nr_units)
{
	size_t size = (size_t)nr_units << UNIT_SHIFT;

	if (likely(!purge_is_huge(size)) ||
	    !page_heap_give_huge(region, unit, nr_units))
		page_heap_give_dirty(region, unit, nr_units);
	purge_beyond_budget(size);
}

bool page_heap_try_extend(struct region *region, uint32_t unit,
			  uint32_t nr_units, uint32_t nr_more)
{
	uint64_t end = (uint64_t)unit + nr_units + nr_more;
	bool zero;

	if (end > load_relaxed(&region->nr_units)) // const
		return false;
	return level_try_claim_units(region, unit + nr_units, nr_more) &&
	       page_heap_finish(region, unit + nr_units, nr_more, &zero);
}

size_t page_heap_purge(size_t keep_size, size_t most_size)
{
	return most_size == SIZE_MAX ? purge_all(keep_size) :
				       purge_down(keep_size, most_size);
}

size_t page_heap_purge_requested(void)
{
	return purge_requested();
}

size_t page_heap_tick(size_t most_size)
{
	size_t most = min_size(budget_tick(), most_size);
	size_t dirty = budget_dirty_size(), done = 0;

	if (most)
		done = purge_down(dirty > most ? dirty - most : 0, most);
	budget_tick_done();
	return done;
}

size_t page_heap_dirty_size(void)
{
	return budget_dirty_size();
}
