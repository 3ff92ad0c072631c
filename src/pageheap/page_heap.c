/* layer 2.9: page heap: take, give, extend
 *
 * take: claim (level.h), else grow the region; then clear guards, then count.
 * give: mark dirty, count, release, hint, then purge beyond the budget. Of a
 * huge run (purge.h) is purged first, and released without a mark.
 *
 * In strict mode (system/sandbox.h) no guard can be cleared and the heap cannot
 * grow: take leaves guarded units claimed and tries again, so that it ends.
 *
 * A thread that dies in take or give strands the run in its hands. Counters
 * may be off by that run for good.
 */
#include "pageheap/page_heap.h"

#include "base/word.h"
#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/guard.h"
#include "pageheap/level.h"
#include "pageheap/purge.h"
#include "system/sandbox.h"

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

/* Who took last, and the takes left in which the CPUs count as several. */
struct taker {
	uint32_t cpu, left;
};
WORD(taker, uint64_t);

static _Atomic(uint64_t) last_taker; /* hint: struct taker */

struct wish {
	uint32_t nr_units;
	uint32_t align_units;
	unsigned cpu;
	bool guarded; /* a guard at the last unit's end may stay */
	bool all; /* every free run is looked at, and not the first few */
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

/* Another CPU's take sets `left` anew, the same one's counts down. */
static struct taker taker_next(struct taker last, uint32_t cpu)
{
	bool same = last.cpu == cpu;

	return (struct taker){
		.cpu = cpu,
		.left = same ? last.left - (last.left != 0) : SEVERAL_TAKES,
	};
}

/* Whether several CPUs take at this time. */
static bool page_heap_several_take(const struct wish *wish)
{
	uint64_t word = load_relaxed(&last_taker); // hint
	struct taker last = taker_unpack(word);

	if (likely(last.cpu == wish->cpu && !last.left))
		return false;
	last = taker_next(last, wish->cpu);
	store_relaxed(&last_taker, taker_pack(last)); // hint
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
		if (!level_take(region, 0, n, align, wish->all, unit))
			return false;
	}
	page_heap_prefer(region, wish, *unit);
	return true;
}

/* Units that hold the run whatever hugepage they begin at. */
static uint32_t page_heap_with_surplus(const struct wish *wish)
{
	if (wish->align_units <= HUGEPAGE_UNITS)
		return wish->nr_units;
	return wish->nr_units + wish->align_units - HUGEPAGE_UNITS;
}

/* Alignment counts from address 0, not from the base. */
static uint32_t page_heap_align(const struct region *region,
				const struct wish *wish, uint32_t unit)
{
	size_t base_unit = (size_t)region->base >> UNIT_SHIFT;

	return (uint32_t)(round_up(base_unit + unit, wish->align_units) -
			  base_unit);
}

/* Whole hugepages at the front; alignment beyond a hugepage by claiming more
 * than needed. */
static bool page_heap_take_large(struct region *region, const struct wish *wish,
				 uint32_t *unit)
{
	uint32_t total = page_heap_with_surplus(wish);
	uint32_t n = wish->nr_units, first, end;

	if (!level_take_units(region, total, &first))
		return wish->all && wish->align_units == 1 &&
		       level_take_anywhere(region, n, unit);
	end = first + total;
	*unit = page_heap_align(region, wish, first);
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
		budget_regret(min_size(n - nr_dirty, old) << UNIT_SHIFT,
			      (size_t)n << UNIT_SHIFT);
	raise_relaxed(&region->nr_used, unit + n); // hint
}

/* A run that cannot be made accessible. In strict mode a guard's unit stays
 * claimed, as it would be found again and again, and the next run may have
 * none; the heap cannot grow there. */
static cold void page_heap_refused(struct region *region, uint32_t unit,
				   uint32_t n)
{
	uint32_t end = unit + n, from = unit;

	for (; sandbox_strict() && unit < end; unit++) {
		if (!guard_is_set(region, unit))
			continue;
		level_release_units(region, from, unit - from);
		from = unit + 1;
	}
	level_release_units(region, from, end - from);
}

/* A claimed run becomes the caller's; not where the kernel refuses to make it
 * accessible. */
static bool page_heap_finish(struct region *region, uint32_t unit, uint32_t n,
			     bool guarded, bool *zero)
{
	uint32_t nr_dirty;

	if (unlikely(!guard_clear(region, unit, n - guarded))) {
		page_heap_refused(region, unit, n);
		return false;
	}
	nr_dirty = dirty_count(region, unit, n);
	budget_taken(n, nr_dirty);
	page_heap_used(region, unit, n, nr_dirty);
	*zero = !nr_dirty;
	return true;
}

static bool page_heap_take_in(struct region *region, const struct wish *wish,
			      struct run *out)
{
	out->region = region;
	out->nr_units = wish->nr_units;
	do {
		if (!page_heap_claim(region, wish, &out->unit))
			return false;
		if (likely(page_heap_finish(region, out->unit, wish->nr_units,
					    wish->guarded, &out->zero)))
			return true;
	} while (sandbox_strict());
	return false;
}

/* Units right behind `unit`, where the region has mapped nothing yet. */
static bool page_heap_grow_behind(struct region *region, uint32_t unit,
				  uint32_t need)
{
	uint32_t n;

	if (!region_grow_at(region, unit, need, &n))
		return false;
	level_release_units(region, unit + need, n - need);
	return true;
}

/* A long run that begins with what is free at the end of what is mapped. */
static bool page_heap_grow_tail(struct region *region, const struct wish *wish,
				struct run *out)
{
	uint32_t end = load_relaxed(&region->nr_taken), n; // hint

	if (wish->nr_units <= HUGEPAGE_UNITS || wish->align_units > 1)
		return false;
	n = level_free_below(region, end, wish->nr_units - 1);
	if (!n || !level_try_claim_units(region, end - n, n))
		return false;
	if (!page_heap_grow_behind(region, end, wish->nr_units - n)) {
		level_release_units(region, end - n, n);
		return false;
	}
	out->region = region;
	out->nr_units = wish->nr_units;
	out->unit = end - n;
	return page_heap_finish(region, out->unit, wish->nr_units,
				wish->guarded, &out->zero);
}

/* From units that are new, the rest of which is released. */
static bool page_heap_grow_in(struct region *region, const struct wish *wish,
			      struct run *out)
{
	uint32_t total = page_heap_with_surplus(wish), first, n;

	if (page_heap_grow_tail(region, wish, out))
		return true;
	if (!region_grow(region, total, &first, &n))
		return false;
	out->region = region;
	out->nr_units = wish->nr_units;
	out->unit = page_heap_align(region, wish, first);
	level_release_units(region, first, out->unit - first);
	first += n;
	n = out->unit + wish->nr_units;
	level_release_units(region, n, first - n);
	return page_heap_finish(region, out->unit, wish->nr_units,
				wish->guarded, &out->zero);
}

static bool page_heap_take_any(const struct wish *wish, struct run *out)
{
	struct region *region = region_next(regions);

	for (; region; region = region_next(region + 1)) {
		if (page_heap_take_in(region, wish, out))
			return true;
	}
	return false;
}

/* *room: whether a region has addresses for the run; then no other is made, as
 * what lacks is memory. */
static bool page_heap_grow_any(const struct wish *wish, bool *room,
			       struct run *out)
{
	struct region *region = region_next(regions);
	uint32_t taken;

	*room = false;
	for (; region; region = region_next(region + 1)) {
		if (page_heap_grow_in(region, wish, out))
			return true;
		taken = load_relaxed(&region->nr_taken); // hint
		*room |= load_relaxed(&region->nr_units) - taken >= // const
			 page_heap_with_surplus(wish);
	}
	return false;
}

/* The system gives no more: whatever is free, wherever it is filed. */
static cold bool page_heap_take_hard(const struct wish *wish, struct run *out)
{
	struct region *region = region_next(regions);
	struct wish hard = *wish;

	hard.all = true;
	for (; region; region = region_next(region + 1)) {
		level_repair(region);
		if (page_heap_take_in(region, &hard, out))
			return true;
	}
	return false;
}

static cold bool page_heap_take_slow(const struct wish *wish, struct run *out)
{
	size_t nr_units = page_heap_with_surplus(wish);
	unsigned i;
	bool room;

	if (!region_start())
		return false;
	if (page_heap_grow_any(wish, &room, out))
		return true;
	for (i = 0; i < ADDS_MOST && !room && region_add(nr_units); i++) {
		if (page_heap_take_any(wish, out))
			return true;
	}
	return page_heap_take_hard(wish, out);
}

static bool page_heap_take_wish(size_t nr_units, size_t align_units,
				unsigned cpu, bool guarded, struct run *out)
{
	size_t most = REGION_SIZE_MOST >> UNIT_SHIFT;
	struct wish wish;

	if (nr_units > most || align_units > most)
		return false;
	wish.nr_units = (uint32_t)nr_units;
	wish.align_units = (uint32_t)align_units;
	wish.cpu = cpu;
	wish.guarded = guarded;
	wish.all = false;
	if (likely(page_heap_take_any(&wish, out)))
		return true;
	return page_heap_take_slow(&wish, out);
}

bool page_heap_take(size_t nr_units, size_t align_units, unsigned cpu,
		    struct run *out)
{
	return page_heap_take_wish(nr_units, align_units, cpu, false, out);
}

bool page_heap_take_guarded(size_t nr_units, size_t align_units, unsigned cpu,
			    struct run *out)
{
	return page_heap_take_wish(nr_units, align_units, cpu, true, out);
}

bool page_heap_may_hold(size_t nr_units)
{
	struct region *region = region_next(regions);

	for (; region; region = region_next(region + 1))
		if (load_relaxed(&region->nr_taken) >= nr_units) // hint
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

/* It goes to the system first, by one call; false: refused. */
static cold bool page_heap_give_huge(struct region *region, uint32_t unit,
				     uint32_t n)
{
	uint32_t first = (uint32_t)round_up(unit, HUGEPAGE_UNITS);
	uint32_t end = (uint32_t)round_down(unit + n, HUGEPAGE_UNITS);

	if (!purge_try_held(region, unit, n))
		return false;
	level_release_units(region, unit, first - unit);
	level_release_clean(region, first, end - first);
	level_release_units(region, end, unit + n - end);
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

/* Where the run ends beside what the region has not mapped yet: what is free
 * before that, and then the region grows right there. */
static bool page_heap_extend_grow(struct region *region, uint32_t unit,
				  uint32_t nr_more)
{
	uint32_t taken = load_relaxed(&region->nr_taken); // hint
	uint32_t nr_free = taken - unit;

	if (taken < unit || nr_free >= nr_more)
		return false;
	if (nr_free && !level_try_claim_units(region, unit, nr_free))
		return false;
	if (page_heap_grow_behind(region, taken, nr_more - nr_free))
		return true;
	level_release_units(region, unit, nr_free);
	return false;
}

bool page_heap_try_extend(struct region *region, uint32_t unit,
			  uint32_t nr_units, uint32_t nr_more)
{
	uint64_t end = (uint64_t)unit + nr_units + nr_more;
	bool zero;

	unit += nr_units;
	if (end > load_relaxed(&region->nr_units)) // const
		return false;
	if (!level_try_claim_units(region, unit, nr_more) &&
	    !page_heap_extend_grow(region, unit, nr_more))
		return false;
	return page_heap_finish(region, unit, nr_more, false, &zero);
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
