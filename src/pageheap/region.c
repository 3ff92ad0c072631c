/* layer 2.5: region: reserving, laying out and publishing regions
 *
 * Region 0 is raced for without waiting: every racer reserves and fills a
 * region of its own, then one CAS of first_region (base and size in a word)
 * decides. Winner and losers alike, and whoever comes while the winner is
 * asleep or dead, compute the same layout from that word and store the same
 * values into regions[0]; the losers' reservations go back.
 *
 * A further region is reserved and filled first; then a slot goes
 *
 *	NONE --CAS--> CLAIMED --store--> READY
 *
 * and since nothing between the two can fail, slots fill in order. A thread
 * that dies in CLAIMED costs its slot and its address space; searchers pass
 * over the slot.
 *
 * nr_committed grows by CAS-max after the kernel made all arrays and the data
 * below it usable. Two committers overlap harmlessly, as committing twice is
 * allowed and both began at a bound that was usable already. A thread that
 * dies before the CAS leaves pages committed that the next one commits again.
 *
 * region_start() and region_add() are lock-free, region_of() is wait-free.
 */
#include "pageheap/region.h"

#include "pageheap/level.h"
#include "system/config.h"
#include "system/system.h"

#define COMMIT_STEP_UNITS ((uint32_t)((32 << 20) / UNIT_SIZE))
#define ADVISE_AFTER_UNITS ((uint32_t)((64 << 20) / UNIT_SIZE))
/* Metadata takes less than a 64th of a region, beside its fixed part. */
#define METADATA_SHIFT 6
#define METADATA_SIZE ((size_t)1 << 20)
/* From here on the first hugepage of the data is whole. */
#define WHOLE_HUGEPAGE_UNITS ((uint32_t)((128 << 20) / UNIT_SIZE))

struct region regions[NR_REGIONS_MOST];

/* atomic: base | size in hugepages of region 0; 0 before there is one */
static _Atomic(uint64_t) first_region;

/* Layout */

static _Atomic(uint64_t) *region_words(char **at, size_t count)
{
	char *words = *at;

	*at += round_up(count * sizeof(uint64_t), CACHE_LINE);
	return (_Atomic(uint64_t) *)(void *)words;
}

static void region_lay_level(struct region *region, unsigned l, char **at)
{
	struct level *level = &region->levels[l];
	size_t nr_parents = l + 1 < NR_LEVELS ? level[1].nr_words : 0;

	level->nr_summary = (uint32_t)div_up(nr_parents, 64);
	level->fit = region_words(at, nr_parents * FIT_LINE);
	level->fit_summary =
		region_words(at, (size_t)level->nr_summary * FIT_LINE + 1);
	level->words = region_words(at, level->nr_words);
}

static void region_lay_levels(struct region *region, size_t nr_units, char **at)
{
	size_t count = nr_units;
	unsigned l;

	for (l = 0; l < NR_LEVELS; l++) {
		count = div_up(count, 64);
		region->levels[l].nr_words = (uint32_t)count;
	}
	/* The small arrays first, so that they share pages. */
	for (l = NR_LEVELS; l-- > 0;)
		region_lay_level(region, l, at);
	region->dirty = region_words(at, region->levels[0].nr_words);
}

/* Data begins at a hugepage, but where that would waste a small region. */
static void region_lay_data(struct region *region, size_t nr_units, char *at)
{
	bool small = nr_units < WHOLE_HUGEPAGE_UNITS;
	size_t align = small ? 2 * UNIT_SIZE : HUGEPAGE_SIZE;
	size_t offset = round_up((size_t)(at - region->base), align);
	unsigned l;

	region->first_unit = (uint32_t)(offset >> UNIT_SHIFT);
	for (l = 0; l < NR_LEVELS; l++)
		region->levels[l].first_summary =
			(uint32_t)((uint64_t)region->first_unit >>
				   (LEVEL_SHIFT * (l + 3)));
}

static char *region_page(const struct region *region, void *at)
{
	size_t offset = (size_t)((char *)at - region->base);

	return region->base + round_up(offset, system_page_size());
}

/* Fills in everything but state and the bounds that move. */
static void region_lay_out(struct region *region, char *base, size_t size)
{
	size_t nr_units = size >> UNIT_SHIFT;
	char *at;

	region->base = base;
	region->tags = (struct unit_tag *)(void *)(base + REGION_TAGS_OFFSET);
	at = region_page(region, region->tags + nr_units);
	region_lay_levels(region, nr_units, &at);
	at = region_page(region, at);
	region->spans = (struct span *)(void *)at;
	at = region_page(region, region->spans + nr_units);
	region->bits = (_Atomic(uint64_t) *)(void *)at;
	at = (char *)(region->bits + nr_units * UNIT_BITS_WORDS);
	region_lay_data(region, nr_units, at);
}

static size_t region_size(const struct region *region)
{
	// const
	return (size_t)load_relaxed(&region->nr_units) << UNIT_SHIFT;
}

/* Making */

static bool region_commit_bytes(const void *from, const void *to)
{
	size_t page = system_page_size();
	uintptr_t start = round_down((uintptr_t)from, page);
	uintptr_t end = round_up((uintptr_t)to, page);

	return start >= end || !system_commit((void *)start, end - start);
}

static void region_advise(const struct region *region)
{
	size_t data = (size_t)region->first_unit << UNIT_SHIFT;
	size_t size = region_size(region);

	/* Arrays are touched here and there: hugepages would fill them. */
	if (config.hugepage == HUGEPAGE_OFF) {
		system_hugepages(region->base, size, false);
		return;
	}
	system_hugepages(region->base, data, false);
	if (config.hugepage == HUGEPAGE_ON)
		system_hugepages(region->base + data, size - data, true);
}

/* A region that nobody knows yet, all of its data free. */
static bool region_make(struct region *region, size_t size)
{
	char *base = system_reserve(size, HUGEPAGE_SIZE);

	if (!base)
		return false;
	region_lay_out(region, base, size);
	// before publish
	store_relaxed(&region->nr_units, (uint32_t)(size >> UNIT_SHIFT));
	region_advise(region);
	if (!region_commit_bytes(base, region->tags + region->first_unit) ||
	    !region_commit_bytes(region->levels[NR_LEVELS - 1].words,
				 region->spans)) {
		system_unreserve(base, size);
		return false;
	}
	level_release_units(region, region->first_unit,
			    (uint32_t)(size >> UNIT_SHIFT) -
				    region->first_unit);
	return true;
}

/* Publishing: may run several times with the same values. */

static void region_raise(_Atomic(uint32_t) *bound, uint32_t to)
{
	uint32_t old = load_relaxed(bound); // hint

	while (old < to) {
		// [region.nr_committed] with region_commit(): the memory below
		// is usable
		if (cas_release(bound, &old, to))
			return;
	}
}

static void region_publish(struct region *slot, const struct region *made)
{
	unsigned l;

	slot->first_unit = made->first_unit;
	slot->base = made->base;
	slot->tags = made->tags;
	slot->spans = made->spans;
	slot->bits = made->bits;
	slot->dirty = made->dirty;
	for (l = 0; l < NR_LEVELS; l++)
		slot->levels[l] = made->levels[l];
	region_raise(&slot->nr_committed, made->first_unit);
	region_raise(&slot->nr_used, made->first_unit);
	// [region.nr_units] with region_of(): base is readable
	store_release(&slot->nr_units, load_relaxed(&made->nr_units)); // const
	// [region.state] with region_is_ready(): all const fields
	store_release(&slot->state, REGION_READY);
}

/* Region 0 */

static uint64_t region_name(const struct region *region)
{
	return (uint64_t)(uintptr_t)region->base |
	       region_size(region) >> HUGEPAGE_SHIFT;
}

/* Four times main memory, so that a heap of all of it finds room for long
 * runs, and no more: every GiB reserved costs 16 KiB of commit charge. */
static size_t region_size_unlimited(void)
{
	uint64_t goal = 4 * system_memory_size();
	size_t size = REGION_SIZE_USUAL;

	while (size < goal && size < REGION_SIZE_MOST)
		size *= 2;
	return size;
}

static size_t region_size_wanted(void)
{
	size_t size;

	if (!system_address_space_limited())
		return region_size_unlimited();
	size = system_reserve_probe(REGION_SIZE_LEAST, REGION_SIZE_MOST) / 4;
	return max_size(size, REGION_SIZE_LEAST);
}

/* The largest region between least and most that can be had. */
static bool region_make_between(struct region *region, size_t least,
				size_t most)
{
	size_t size = max_size(least, most), granted;

	if (region_make(region, size))
		return true;
	granted = system_reserve_probe(REGION_SIZE_LEAST, REGION_SIZE_MOST) / 4;
	for (size = min_size(size / 2, granted); size > least; size /= 4) {
		if (region_make(region, size))
			return true;
	}
	return region_make(region, least);
}

static uint64_t region_elect(void)
{
	struct region made = { 0 };
	uint64_t name, won = 0;

	if (!region_make_between(&made, REGION_SIZE_LEAST,
				 region_size_wanted()))
		// [first_region] with region_elect(): the winner's words are
		// filled
		return load_acquire(&first_region);
	name = region_name(&made);
	// [first_region] with region_start(): the region is filled
	if (cas_acq_rel(&first_region, &won, name))
		return name;
	system_unreserve(made.base, region_size(&made));
	// [first_region] with region_elect(): the winner's words are filled
	return load_acquire(&first_region);
}

bool region_start(void)
{
	struct region found = { 0 };
	uint64_t name;
	size_t size;

	if (region_is_ready(&regions[0]))
		return true;
	// [first_region] with region_elect(): the winner's words are filled
	name = load_acquire(&first_region);
	if (!name)
		name = region_elect();
	if (!name)
		return false;
	size = (size_t)(name & (HUGEPAGE_SIZE - 1)) << HUGEPAGE_SHIFT;
	region_lay_out(&found,
		       (char *)(uintptr_t)round_down(name, HUGEPAGE_SIZE),
		       size);
	// before publish
	store_relaxed(&found.nr_units, (uint32_t)(size >> UNIT_SHIFT));
	region_publish(&regions[0], &found);
	return true;
}

/* Further regions */

static bool region_claim_slot(struct region **slot)
{
	uint32_t none;

	for (*slot = &regions[1]; *slot < regions + NR_REGIONS_MOST; ++*slot) {
		none = REGION_NONE;
		// hint: the slot's content is published by its READY
		if (cas_relaxed(&(*slot)->state, &none, REGION_CLAIMED))
			return true;
	}
	return false;
}

struct region *region_add(size_t nr_units)
{
	struct region made = { 0 }, *slot;
	size_t least = nr_units * UNIT_SIZE + METADATA_SIZE + HUGEPAGE_SIZE;

	if (nr_units > REGION_SIZE_MOST / UNIT_SIZE)
		return NULL;
	least += (least >> METADATA_SHIFT) + HUGEPAGE_SIZE;
	least = max_size(round_down(least, HUGEPAGE_SIZE), REGION_SIZE_LEAST);
	if (least > REGION_SIZE_MOST ||
	    !region_make_between(&made, least, region_size_wanted()))
		return NULL;
	if (!region_claim_slot(&slot)) {
		system_unreserve(made.base, region_size(&made));
		return NULL;
	}
	region_publish(slot, &made);
	return slot;
}

struct region *region_of_slow(const void *addr)
{
	struct region *region;
	size_t offset;

	for (region = regions; region < regions + NR_REGIONS_MOST; region++) {
		if (!region_is_ready(region)) {
			// hint: slots fill in order
			if (load_relaxed(&region->state) == REGION_NONE)
				return NULL;
			continue;
		}
		offset = (size_t)addr - (size_t)region->base;
		if (offset < region_size(region))
			return region;
	}
	return NULL;
}

/* Commit */

static bool region_commit_range(struct region *region, uint32_t from,
				uint32_t to)
{
	_Atomic(uint64_t) *bits = region->bits;

	return region_commit_bytes(region->tags + from, region->tags + to) &&
	       region_commit_bytes(region->spans + from, region->spans + to) &&
	       region_commit_bytes(bits + (size_t)from * UNIT_BITS_WORDS,
				   bits + (size_t)to * UNIT_BITS_WORDS) &&
	       region_commit_bytes(region_addr(region, from),
				   region_addr(region, to));
}

static uint32_t region_commit_goal(const struct region *region, uint32_t from,
				   uint32_t end)
{
	uint32_t step = (from - region->first_unit) / 8;
	size_t goal;

	if (step < COMMIT_STEP_UNITS)
		step = COMMIT_STEP_UNITS;
	goal = round_up((size_t)from + step, HUGEPAGE_UNITS);
	return (uint32_t)min_size(max_size(goal, end),
				  load_relaxed(&region->nr_units)); // const
}

static void region_advise_data(const struct region *region, uint32_t from,
			       uint32_t to)
{
	uint32_t after = region->first_unit + ADVISE_AFTER_UNITS;

	from = (uint32_t)round_up(max_size(from, after), HUGEPAGE_UNITS);
	if (config.hugepage == HUGEPAGE_AUTO && from < to)
		system_hugepages(region_addr(region, from),
				 (size_t)(to - from) << UNIT_SHIFT, true);
}

bool region_commit(struct region *region, uint32_t end)
{
	// [region.nr_committed] with region_raise(): the memory below is usable
	uint32_t from = load_acquire(&region->nr_committed);
	uint32_t goal;

	if (likely(end <= from))
		return true;
	/* Two units are a page where pages have 64 KiB. */
	end = (uint32_t)round_up(end, 2);
	goal = region_commit_goal(region, from, end);
	if (!region_commit_range(region, from, goal)) {
		goal = end;
		if (!region_commit_range(region, from, goal))
			return false;
	}
	region_advise_data(region, from, goal);
	region_raise(&region->nr_committed, goal);
	region_committed(region, goal);
	return true;
}
