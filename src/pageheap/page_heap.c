/* layer 2.9: page heap: take, give, extend
 *
 * take: claim, then clear guards, then count. The sources, in order:
 *
 *	take_free	what the hints show to be free (level.h); of several
 *			memory nodes the CPU's own (hugepage_node.h)
 *	take_purged	at the hard limit (limit.h), which refuses the count:
 *			all that is free and dirty is purged, so that there is
 *			room for clean memory, and claimed once more; without
 *			such room nothing else is tried
 *	take_far	other nodes, where growth was refused before
 *	take_grown	a region grows
 *	take_added	another region, where none has addresses for the run
 *	take_hidden	what the hints do not show, of all nodes
 *
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
#include "pageheap/account.h"
#include "pageheap/budget.h"
#include "pageheap/dirty.h"
#include "pageheap/guard_page.h"
#include "pageheap/level.h"
#include "pageheap/limit.h"
#include "pageheap/purge.h"
#include "pageheap/region_grow.h"
#include "pageheap/regions.h"
#include "system/sandbox.h"

/* Runs above this do not decide where the CPU's next small run goes. */
#define PREFER_UNITS_MOST 16
#define NR_PREFERRED 64
/* Takes after another CPU's in which the ids count as several. */
#define SEVERAL_TAKES 64
/* Regions added by one call, if other threads use them up meanwhile. */
#define ADDS_MOST 4
/* Purges of one call at the hard limit, while others have something in hand. */
#define PURGES_MOST 4

/* Where the runs of an id went last; region index << 32 | hugepage. */
static struct preferred {
	_Atomic(uint64_t) place; /* hint */
} __attribute__((aligned(CACHE_LINE))) preferred[NR_PREFERRED];

/* Who took last, and the takes left in which the ids count as several. */
struct taker {
	uint32_t id, left;
};
WORD(taker, uint64_t);

static _Atomic(uint64_t) last_taker; /* hint: struct taker */

struct run_request {
	uint32_t nr_units;
	uint32_t align_units;
	unsigned id;
	bool guard_stays; /* one at the last unit's end may */
	struct search search;
};

/* Where the id's runs went last; FREE_INDEX_NONE: to another region, or it is
 * another node's by now. */
static uint32_t preferred_hugepage(const struct region *region,
				   const struct run_request *r)
{
	struct preferred *at = &preferred[r->id % NR_PREFERRED];
	uint64_t place = load_relaxed(&at->place);

	if (place >> 32 != (uint64_t)(region - regions) ||
	    (uint32_t)place >= region->levels[0].nr_words ||
	    !node_has(region, (uint32_t)place, r->search.node))
		return FREE_INDEX_NONE;
	return (uint32_t)place;
}

static void prefer_hugepage(struct region *region, const struct run_request *r,
			    uint32_t unit)
{
	struct preferred *at = &preferred[r->id % NR_PREFERRED];
	uint64_t place = (uint64_t)(region - regions) << 32 |
			 unit / HUGEPAGE_UNITS;

	if (r->nr_units <= PREFER_UNITS_MOST)
		store_relaxed(&at->place, place);
}

/* Another id's take sets `left` anew, the same one's counts down. */
static struct taker taker_next(struct taker last, uint32_t id)
{
	bool same = last.id == id;

	return (struct taker){
		.id = id,
		.left = same ? last.left - (last.left != 0) : SEVERAL_TAKES,
	};
}

/* Whether several ids take at this time. */
static bool several_ids_take(const struct run_request *r)
{
	uint64_t word = load_relaxed(&last_taker);
	struct taker last = taker_unpack(word);

	if (likely(last.id == r->id && !last.left))
		return false;
	last = taker_next(last, r->id);
	store_relaxed(&last_taker, taker_pack(last));
	return true;
}

/* Resident memory first. One id alone takes what lies lowest: where it went
 * on to a new hugepage it would fill that to the end, and leave free and
 * resident what it had before. Several begin with what is near to each, which
 * is in its cache. */
static bool claim_dirty(struct region *region, const struct run_request *r,
			uint32_t near, uint32_t *unit)
{
	if (!several_ids_take(r))
		near = FREE_INDEX_NONE;
	return budget_dirty_size() >= (size_t)r->nr_units << UNIT_SHIFT &&
	       level_take_dirty(region, near, r->nr_units, r->align_units,
				r->search.node, unit);
}

static bool is_within_hugepage(const struct run_request *r)
{
	return r->nr_units <= HUGEPAGE_UNITS &&
	       r->align_units <= HUGEPAGE_UNITS;
}

/* Claims a run within one hugepage. */
static bool claim_within_hugepage(struct region *region,
				  const struct run_request *r, uint32_t *unit)
{
	uint32_t near = preferred_hugepage(region, r);
	unsigned n = r->nr_units, align = r->align_units;

	if (!claim_dirty(region, r, near, unit)) {
		if (near != FREE_INDEX_NONE &&
		    level_try_take(region, 0, near, n, align, NODE_ANY, unit))
			return true;
		if (!level_take(region, 0, n, align, r->search, unit))
			return false;
	}
	prefer_hugepage(region, r, *unit);
	return true;
}

/* Returns how many units hold the run whatever hugepage they begin at. */
static uint32_t units_with_surplus(const struct run_request *r)
{
	if (r->align_units <= HUGEPAGE_UNITS)
		return r->nr_units;
	return r->nr_units + r->align_units - HUGEPAGE_UNITS;
}

/* Chooses of held units [first, end) the run that is aligned, counted from
 * address 0 and not from the base; releases what lies before and behind it. */
static uint32_t run_trim(struct region *region, const struct run_request *r,
			 uint32_t first, uint32_t end)
{
	size_t base = (size_t)region->base >> UNIT_SHIFT;
	uint32_t unit =
		(uint32_t)(round_up(base + first, r->align_units) - base);
	uint32_t behind = unit + r->nr_units;

	level_release_units(region, first, unit - first);
	level_release_units(region, behind, end - behind);
	return unit;
}

/* Claims a run that begins at a hugepage; for an alignment beyond a hugepage it
 * claims more than needed and releases the rest. */
static bool claim_hugepages(struct region *region, const struct run_request *r,
			    uint32_t *unit)
{
	uint32_t total = units_with_surplus(r), first;

	if (!level_take_units(region, total, r->search.node, &first))
		return r->search.all && r->align_units == 1 &&
		       level_take_anywhere(region, r->nr_units, unit);
	*unit = run_trim(region, r, first, first + total);
	return true;
}

/* Counts clean units that were in use before; raises the high-water mark. */
static void count_used(struct region *region, uint32_t unit, uint32_t n,
		       uint32_t nr_dirty)
{
	uint32_t used = load_relaxed(&region->nr_used); // hint
	uint32_t old = used > unit ? used - unit : 0;

	if (nr_dirty < n && old)
		budget_regret(min_size(n - nr_dirty, old) << UNIT_SHIFT,
			      (size_t)n << UNIT_SHIFT);
	raise_relaxed(&region->nr_used, unit + n); // hint
}

/* Releases a run that cannot be made accessible. In strict mode a guard's unit
 * stays claimed, as it would be found again and again, and the next run may
 * have none; the heap cannot grow there. */
static cold void page_heap_refused(struct region *region, uint32_t unit,
				   uint32_t n)
{
	uint32_t end = unit + n, from = unit;

	for (; sandbox_strict_here() && unit < end; unit++) {
		if (!guard_page_is_set(region, unit))
			continue;
		level_release_units(region, from, unit - from);
		from = unit + 1;
	}
	level_release_units(region, from, end - from);
}

/* Makes a claimed run the caller's. False: the kernel refuses to make it
 * accessible, or it would be beyond the hard limit, and it is released. */
static bool units_finish(struct region *region, uint32_t unit, uint32_t n,
			 bool guard_stays, bool *zero)
{
	uint32_t nr_dirty;

	if (unlikely(!guard_page_clear(region, unit, n - guard_stays))) {
		page_heap_refused(region, unit, n);
		return false;
	}
	nr_dirty = dirty_count(region, unit, n);
	if (unlikely(!budget_try_taken(n, nr_dirty))) {
		level_release_units(region, unit, n);
		return false;
	}
	count_used(region, unit, n, nr_dirty);
	*zero = !nr_dirty;
	return true;
}

/* A long run's memory comes to the node of who touches it; of a shorter one
 * that is so in a hugepage that nobody had yet. */
static void run_assign(struct region *region, const struct run_request *r,
		       uint32_t unit)
{
	if (likely(r->search.node == NODE_ANY))
		return;
	if (is_within_hugepage(r))
		node_assign_new(region, unit, r->nr_units, r->search.node);
	else
		node_assign(region, unit, r->nr_units, r->search.node);
}

static bool run_finish(struct region *region, const struct run_request *r,
		       uint32_t unit, struct run *out)
{
	run_assign(region, r, unit);
	out->region = region;
	out->unit = unit;
	out->nr_units = r->nr_units;
	return units_finish(region, unit, r->nr_units, r->guard_stays,
			    &out->zero);
}

/* Claims units right behind `unit`, where the region has mapped nothing yet. */
static bool grow_behind(struct region *region, uint32_t unit, uint32_t need)
{
	uint32_t n;

	if (!region_grow_at(region, unit, need, &n))
		return false;
	level_release_units(region, unit + need, n - need);
	return true;
}

/* Claims a long run that begins with what is free at the end of what is
 * mapped; not where that may be far. */
static bool grow_from_tail(struct region *region, const struct run_request *r,
			   uint32_t *unit)
{
	uint32_t end = load_relaxed(&region->nr_taken), n; // hint

	if (r->nr_units <= HUGEPAGE_UNITS || r->align_units > 1 ||
	    r->search.node != NODE_ANY)
		return false;
	n = level_free_below(region, end, r->nr_units - 1);
	if (!n || !level_try_claim_units(region, end - n, n))
		return false;
	*unit = end - n;
	if (grow_behind(region, end, r->nr_units - n))
		return true;
	level_release_units(region, *unit, n);
	return false;
}

/* Claims units that are new, and releases what is too many. */
static bool grow_anew(struct region *region, const struct run_request *r,
		      uint32_t *unit)
{
	uint32_t first, n;

	if (!region_grow(region, units_with_surplus(r), &first, &n))
		return false;
	*unit = run_trim(region, r, first, first + n);
	return true;
}

/* The sources of a run, in the order in which they are asked: */

/* Takes what is free; with `all` whatever is, wherever it is filed. In strict
 * mode a run that has a guard stays claimed, and another one is tried; not
 * after the hard limit refused one. */
static bool take_free(const struct run_request *r, struct run *out)
{
	struct region *region = region_next(regions);
	bool within = is_within_hugepage(r);
	uint32_t unit;

	for (; region; region = region_next(region + 1)) {
		if (unlikely(r->search.all))
			level_repair(region);
		while (within ? claim_within_hugepage(region, r, &unit) :
				claim_hugepages(region, r, &unit)) {
			if (likely(run_finish(region, r, unit, out)))
				return true;
			if (!sandbox_strict_here() ||
			    !budget_has_room(r->nr_units))
				break;
		}
	}
	return false;
}

/* Takes what is free on other nodes, while memory is short: before a growth
 * that would be refused again. */
static cold bool take_far(const struct run_request *r, struct run *out)
{
	struct run_request any = *r;

	if (r->search.node == NODE_ANY || !region_growth_is_refused())
		return false;
	any.search.node = NODE_ANY;
	return take_free(&any, out);
}

/* Takes what a region grows by. *room: whether one has addresses for the run;
 * then no other is made, as what lacks is memory. */
static cold bool take_grown(const struct run_request *r, bool *room,
			    struct run *out)
{
	struct region *region = region_next(regions);
	uint32_t taken, unit;

	*room = false;
	for (; region; region = region_next(region + 1)) {
		if ((grow_from_tail(region, r, &unit) ||
		     grow_anew(region, r, &unit)) &&
		    run_finish(region, r, unit, out))
			return true;
		taken = load_relaxed(&region->nr_taken);	    // hint
		*room |= load_relaxed(&region->nr_units) - taken >= // const
			 units_with_surplus(r);
	}
	return false;
}

/* Takes from another region, which it makes. */
static cold bool take_added(const struct run_request *r, struct run *out)
{
	unsigned i;

	for (i = 0; i < ADDS_MOST && region_add(units_with_surplus(r)); i++) {
		if (take_free(r, out))
			return true;
	}
	return false;
}

/* Takes what the searches pass over. */
static cold bool take_hidden(const struct run_request *r, struct run *out)
{
	struct run_request all = *r;

	all.search = (struct search){ .node = NODE_ANY, .all = true };
	return take_free(&all, out);
}

/* Takes what counts anew when all that is free is purged; but for what other
 * purgers have in hand, who may be through the next time. */
static cold bool take_purged(const struct run_request *r, struct run *out)
{
	unsigned i;

	limit_note_hit();
	for (i = 0; i < PURGES_MOST; i++) {
		purge_all(0);
		if (take_free(r, out))
			return true;
		if (budget_has_room(r->nr_units) || !budget_dirty_size())
			return false;
	}
	return false;
}

/* Asks the other sources, where nothing is free that fits, or the hard limit
 * leaves no room. */
static cold bool take_more(const struct run_request *r, struct run *out)
{
	bool room;

	if (!region_start())
		return false;
	if (unlikely(!budget_has_room(r->nr_units))) {
		if (take_purged(r, out))
			return true;
		if (!budget_has_room(r->nr_units))
			return false;
	}
	return take_far(r, out) || take_grown(r, &room, out) ||
	       (!room && take_added(r, out)) || take_hidden(r, out);
}

bool page_heap_take_run(size_t nr_units, size_t align_units, unsigned id,
			bool guard_stays, struct run *out)
{
	size_t most = REGION_SIZE_MOST >> UNIT_SHIFT;
	struct run_request r = {
		.nr_units = (uint32_t)nr_units,
		.align_units = (uint32_t)align_units,
		.id = id,
		.guard_stays = guard_stays,
		.search = { .node = (uint8_t)node_of_id(id) },
	};

	if (nr_units > most || align_units > most)
		return false;
	return likely(take_free(&r, out)) || take_more(&r, out);
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

/* Gives the run to the system first, by one call; false: that refuses. */
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

/* Where the run ends beside what the region has not mapped yet, claims what is
 * free before that, and lets the region grow right there. */
static bool page_heap_extend_grow(struct region *region, uint32_t unit,
				  uint32_t nr_more)
{
	uint32_t taken = load_relaxed(&region->nr_taken); // hint
	uint32_t nr_free = taken - unit;

	if (taken < unit || nr_free >= nr_more)
		return false;
	if (nr_free && !level_try_claim_units(region, unit, nr_free))
		return false;
	if (grow_behind(region, taken, nr_more - nr_free))
		return true;
	level_release_units(region, unit, nr_free);
	return false;
}

/* Hugepages that nobody had go to the node of what they extend. */
static void extend_assign(struct region *region, uint32_t unit, uint32_t n)
{
	if (unlikely(load_relaxed(&nodes_used)))
		node_assign_new(
			region, unit, n,
			node_of_hugepage(region, (unit - 1) / HUGEPAGE_UNITS));
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
	extend_assign(region, unit, nr_more);
	return units_finish(region, unit, nr_more, false, &zero);
}

size_t page_heap_purge(size_t keep_size, size_t most_size)
{
	return most_size == SIZE_MAX ? purge_all(keep_size) :
				       purge_down(keep_size, most_size, false);
}

size_t page_heap_relieve(void)
{
	budget_forget();
	return purge_down(0, SIZE_MAX, true);
}

size_t page_heap_tick(size_t most_size)
{
	size_t most = min_size(budget_tick(), most_size);
	size_t dirty = budget_dirty_size(), done = 0;

	if (most)
		done = purge_down(dirty > most ? dirty - most : 0, most,
				  most_size == SIZE_MAX);
	budget_tick_done();
	return done;
}

/* Adds up tags and spans of the units ever taken, the words over them, and the
 * head; bits as if all slabs had the smallest objects. */
static size_t stats_metadata_size(const struct region *region)
{
	size_t n = load_relaxed(&region->nr_used); // hint

	return n * (sizeof(struct unit_tag) + sizeof(struct span) +
		    UNIT_BITS_WORDS * sizeof(uint64_t)) +
	       n / HUGEPAGE_UNITS * (2 * sizeof(uint64_t) + FREE_INDEX_LINE) +
	       REGION_TABLE_WORDS * sizeof(uint64_t);
}

static void stats_add_region(struct region *region, struct page_heap_stats *out)
{
	uint64_t nr_units = load_relaxed(&region->nr_units); // const
	uint64_t mapped = load_relaxed(&region->nr_mapped);

	out->reserved_size += nr_units << UNIT_SHIFT;
	out->committed_size += mapped << UNIT_SHIFT;
	out->metadata_size += stats_metadata_size(region);
}

void page_heap_stats(struct page_heap_stats *out)
{
	uint64_t used;
	unsigned i;

	*out = (struct page_heap_stats){ 0 };
	for (i = 0; i < NR_REGIONS_MOST; i++) {
		if (region_is_ready(&regions[i]))
			stats_add_region(&regions[i], out);
	}
	out->claimed_size = budget_claimed_size();
	out->free_dirty_size = budget_dirty_size();
	used = out->claimed_size + out->free_dirty_size;
	if (out->committed_size > used)
		out->free_clean_size = out->committed_size - used;
	out->purged_size = load_relaxed(&budget.purged_size); // counter
	out->nr_purges = load_relaxed(&budget.nr_purges);
	out->regret_size = load_relaxed(&budget.regret_size); // counter
	out->budget_size = budget_size();
}
