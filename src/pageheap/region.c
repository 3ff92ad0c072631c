/* layer 2.5: region: placing, growing and publishing regions
 *
 * Region 0 is raced for without waiting: every racer takes places of its own
 * and maps and fills the metadata there, then one CAS of first_region (where
 * those metadata begin) decides. Winner and losers alike, and whoever comes
 * while the winner is asleep or dead, compute the same layout from what the
 * winner's metadata say of themselves (struct seed) and store the same values
 * into regions[0]; the losers' mappings go back.
 *
 * A further region is made first; then a slot goes
 *
 *	NONE --CAS--> CLAIMED --store--> READY
 *
 * and since nothing between the two can fail, slots fill in order. A thread
 * that dies in CLAIMED costs its slot and its addresses; searchers pass over
 * the slot.
 *
 * Growth is described in region.h. The bad interleavings:
 *
 *	A claims [u, v), B claims [v, w) and is faster: B needs the arrays over
 *	its own units, and nr_committed says "all below". So B maps the quanta
 *	below, too; A finds them mapped, which is as good as having done it.
 *	Who maps at a quantum's addresses is this library, as nobody else knows
 *	them (place.h).
 *
 *	A's mapping of data is refused, B has claimed behind: nr_taken cannot
 *	go back, and [u, v) goes to `spare`. A spare that finds no slot costs
 *	addresses, and no memory.
 *
 *	A finds foreign memory in [u, v): that stays A's for ever. A tries the
 *	next units, GROW_TRIES times.
 *
 * region_start(), region_add() and region_grow() are lock-free.
 */
#include "pageheap/region.h"

#include <errno.h>

#include "pageheap/level.h"
#include "system/config.h"
#include "system/place.h"
#include "system/system.h"

#define GROW_LEAST ((uint32_t)((8 << 20) / UNIT_SIZE))
#define GROW_SHIFT 3 /* an eighth of what there is */
#define GROW_TRIES 64
#define MAKE_TRIES 4
#define ADVISE_AFTER_UNITS ((uint32_t)((64 << 20) / UNIT_SIZE))
/* Arrays begin at multiples of it from the first, and so do quanta of them. */
#define PAGE_MOST ((size_t)64 << 10)

struct region regions[NR_REGIONS_MOST];

/* const: the least that a region has; tests make it less */
static size_t region_size_usual = REGION_SIZE_USUAL;

/* What a region's metadata say of it; at their beginning. */
struct seed {
	char *base;	   /* const */
	uint64_t nr_units; /* const */
};

/* atomic: the metadata of region 0; NULL before there is one */
static _Atomic(char *) first_region;

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
	region->guards = region_words(at, region->levels[0].nr_words);
}

/* Where an array of `size` bytes begins; *at then stands behind it and a gap
 * that is never mapped. */
static void *region_lay_array(char **at, size_t size)
{
	char *begin = *at;

	*at += round_up(size, PAGE_MOST) + PLACE_GAP;
	return begin;
}

/* All that its metadata and its size tell; the end of the metadata. */
static char *region_lay_out(struct region *region, char *meta, size_t nr_units)
{
	size_t whole = round_up(nr_units, REGION_QUANTUM);
	char *at = meta, *words;

	region->head = region_lay_array(&at, REGION_HEAD_SIZE);
	words = at + CACHE_LINE; /* behind the seed */
	region_lay_levels(region, nr_units, &words);
	region_lay_array(&at, (size_t)(words - at));
	region->tags = region_lay_array(&at, whole * sizeof(struct unit_tag));
	region->spans = region_lay_array(&at, whole * sizeof(struct span));
	region->bits = region_lay_array(&at, whole * UNIT_BITS_WORDS *
						     sizeof(uint64_t));
	return at;
}

static struct seed *region_seed(char *meta)
{
	char *at = meta;

	region_lay_array(&at, REGION_HEAD_SIZE);
	return (void *)at;
}

/* Bytes from the seed to the end of the words. */
static size_t region_words_size(const struct region *region)
{
	char *from = (char *)region_seed(region->head);

	return round_up((size_t)((char *)region->tags - PLACE_GAP - from),
			PAGE_MOST);
}

/* Arrays over units, quantum by quantum */

/* One array's part of [from, to). Mapped already is as good; of a range that
 * is mapped in part, only where the caller asks for one quantum, since others
 * map whole quanta. */
static int region_map_array(void *array, size_t each, uint32_t from,
			    uint32_t to)
{
	char *at = (char *)array + from * each;
	size_t size = (to - from) * each;
	int result = system_map_at(at, size);

	if (!result)
		system_hugepages(at, size, false);
	if (result == -EEXIST && system_is_mapped(at, size))
		return 0;
	return result;
}

static int region_map_arrays(struct region *region, uint32_t from, uint32_t to)
{
	size_t bits = UNIT_BITS_WORDS * sizeof(uint64_t);
	int result;

	result = region_map_array(region->tags, sizeof(struct unit_tag), from,
				  to);
	if (!result)
		result = region_map_array(region->spans, sizeof(struct span),
					  from, to);
	if (!result)
		result = region_map_array(region->bits, bits, from, to);
	return result;
}

static void region_raise(_Atomic(uint32_t) *bound, uint32_t to)
{
	uint32_t old = load_relaxed(bound); // hint

	while (old < to) {
		// [region.nr_committed] with region_cover(): the arrays below
		// are usable
		if (cas_release(bound, &old, to))
			return;
	}
}

/* Makes the arrays of all units below `end` usable. */
static bool region_cover(struct region *region, uint32_t end)
{
	// [region.nr_committed] with region_raise(): the arrays are usable
	uint32_t from = load_acquire(&region->nr_committed), to;
	int result;

	if (likely(end <= from))
		return true;
	to = (uint32_t)round_up(end, REGION_QUANTUM);
	result = region_map_arrays(region, from, to);
	for (; result == -EEXIST && from < to; from += REGION_QUANTUM) {
		/* Another thread has mapped a part of it. */
		if (region_map_arrays(region, from, from + REGION_QUANTUM))
			return false;
	}
	if (result && from < to)
		return false;
	region_raise(&region->nr_committed, to);
	region_committed(region, to);
	return true;
}

/* Growth */

static void region_advise(const struct region *region, uint32_t from,
			  uint32_t to)
{
	uint64_t option = config.hugepage;

	if (option == HUGEPAGE_AUTO)
		from = (uint32_t)max_size(from, ADVISE_AFTER_UNITS);
	if (option == HUGEPAGE_SYSTEM || from >= to)
		return;
	system_hugepages(region_addr(region, from),
			 (size_t)(to - from) << UNIT_SHIFT,
			 option != HUGEPAGE_OFF);
}

/* Whole hugepages; small ones while other growers are at work, so that many
 * threads that miss at once do not each take an eighth of the heap. */
static uint32_t region_step(struct region *region, uint32_t from, uint32_t need)
{
	uint32_t step = GROW_LEAST, left;

	if (load_relaxed(&region->nr_growers) <= 1) // hint
		step = (uint32_t)max_size(step, from >> GROW_SHIFT);
	step = (uint32_t)round_up(max_size(step, need), HUGEPAGE_UNITS);
	left = load_relaxed(&region->nr_units) - from; // const
	return (uint32_t)min_size(step, left);
}

/* Units that a grower claimed and could not map. */
static void region_unclaim(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n;
	uint64_t none;
	unsigned i;

	// own: addresses only
	if (!n || cas_relaxed(&region->nr_taken, &end, unit))
		return;
	for (i = 0; i < NR_SPARES; i++) {
		none = 0;
		// own: likewise
		if (cas_relaxed(&region->spare[i], &none,
				(uint64_t)unit << 32 | n))
			return;
	}
}

static bool region_claim_spare(struct region *region, uint32_t need,
			       uint32_t *unit, uint32_t *n)
{
	uint64_t spare;
	unsigned i;

	for (i = 0; i < NR_SPARES; i++) {
		spare = load_relaxed(&region->spare[i]); // own: addresses only
		if ((uint32_t)spare < need)
			continue;
		// own: the winner alone has them
		if (!cas_relaxed(&region->spare[i], &spare, 0))
			continue;
		*unit = (uint32_t)(spare >> 32);
		*n = (uint32_t)spare;
		return true;
	}
	return false;
}

/* From *unit on where that is what comes next, with `exact`; else from where
 * the others came to. */
static bool region_claim(struct region *region, bool exact, uint32_t need,
			 uint32_t *unit, uint32_t *n)
{
	uint32_t at = load_relaxed(&region->nr_taken); // own: addresses only

	do {
		if (exact && at != *unit)
			return false;
		*n = region_step(region, at, need);
		if (*n < need)
			return false;
		// own: the winner alone has them
	} while (!cas_relaxed(&region->nr_taken, &at, at + *n));
	*unit = at;
	return true;
}

/* The data first: what is refused then leaves no arrays behind that count
 * against a limit. */
static int region_map_units(struct region *region, uint32_t unit, uint32_t n)
{
	char *addr = region_addr(region, unit);
	size_t size = (size_t)n << UNIT_SHIFT;
	int result = system_map_at(addr, size);

	if (result || region_cover(region, unit + n))
		return result;
	system_unmap(addr, size);
	return -ENOMEM;
}

/* Maps claimed units, all of them or as many as are needed: 0, *n. What is not
 * mapped is claimed no more, but where somebody else's memory is. */
static int region_map(struct region *region, uint32_t unit, uint32_t need,
		      uint32_t *n)
{
	uint32_t all = *n, some;
	int result = region_map_units(region, unit, all);

	some = (uint32_t)min_size(round_up(need, HUGEPAGE_UNITS), all);
	if (result && result != -EEXIST && some < all) {
		result = region_map_units(region, unit, some);
		*n = some;
	}
	if (result && result != -EEXIST)
		region_unclaim(region, unit, all);
	else if (*n < all)
		region_unclaim(region, unit + *n, all - *n);
	return result;
}

static bool region_grow_any(struct region *region, bool exact, uint32_t need,
			    uint32_t *unit, uint32_t *n)
{
	int result = -EEXIST;
	unsigned i;

	for (i = 0; i < GROW_TRIES && result == -EEXIST; i++) {
		if ((exact || !region_claim_spare(region, need, unit, n)) &&
		    !region_claim(region, exact, need, unit, n))
			return false;
		result = region_map(region, *unit, need, n);
	}
	if (result)
		return false;
	add_relaxed(&region->nr_mapped, *n); // counter
	region_advise(region, *unit, *unit + *n);
	return true;
}

bool region_grow(struct region *region, uint32_t need, uint32_t *unit,
		 uint32_t *n)
{
	bool grown;

	add_relaxed(&region->nr_growers, 1); // hint
	grown = region_grow_any(region, false, need, unit, n);
	sub_relaxed(&region->nr_growers, 1); // hint
	return grown;
}

bool region_grow_at(struct region *region, uint32_t unit, uint32_t need,
		    uint32_t *n)
{
	return region_grow_any(region, true, need, &unit, n);
}

/* Making */

/* What a region begins with: the words, a quantum of each array, and the head
 * of the first one. */
#define NR_PARTS 5
struct part {
	void *at;
	size_t size;
};

static unsigned region_parts(const struct region *region, bool first,
			     struct part *parts)
{
	uint32_t n = (uint32_t)max_size(
		load_relaxed(&region->nr_committed), // before publish
		REGION_QUANTUM);

	parts[0] = (struct part){ region_seed(region->head),
				  region_words_size(region) };
	parts[1] = (struct part){ region->tags, n * sizeof(struct unit_tag) };
	parts[2] = (struct part){ region->spans, n * sizeof(struct span) };
	parts[3] = (struct part){ region->bits,
				  n * UNIT_BITS_WORDS * sizeof(uint64_t) };
	parts[4] = (struct part){ region->head, REGION_HEAD_SIZE };
	return first ? NR_PARTS : NR_PARTS - 1;
}

/* Gives back what nobody else knows of. */
static void region_unmake(const struct region *region, bool first,
			  size_t meta_size)
{
	struct part parts[NR_PARTS];
	unsigned n = region_parts(region, first, parts);

	while (n-- > 0)
		system_unmap(parts[n].at, parts[n].size);
	place_untake(PLACE_DATA, region->base, region_size(region));
	place_untake(PLACE_META, region->head, meta_size);
}

/* All of it, or nothing; and the seed. */
static int region_map_parts(const struct region *region, bool first)
{
	struct part parts[NR_PARTS];
	unsigned n = region_parts(region, first, parts), i;
	struct seed *seed = parts[0].at;
	int result;

	for (i = 0; i < n; i++) {
		result = system_map_at(parts[i].at, parts[i].size);
		if (result) {
			while (i-- > 0)
				system_unmap(parts[i].at, parts[i].size);
			return result;
		}
		if (i > 0)
			system_hugepages(parts[i].at, parts[i].size, false);
	}
	seed->base = region->base;
	seed->nr_units = load_relaxed(&region->nr_units); // before publish
	return 0;
}

/* Places for it, and what it begins with. -EEXIST: somebody else's memory is
 * there; these places stay taken, so that the next call finds others. */
static int region_try_make(struct region *region, size_t size, bool first,
			   size_t *meta_size)
{
	size_t nr_units = size >> UNIT_SHIFT;
	char *meta;
	int result;

	*meta_size = (size_t)region_lay_out(region, NULL, nr_units);
	meta = place_take(PLACE_META, *meta_size, system_page_size());
	if (!meta)
		return -ENOMEM;
	region_lay_out(region, meta, nr_units);
	store_relaxed(&region->nr_units, (uint32_t)nr_units); // before publish
	region->base = place_take(PLACE_DATA, size, HUGEPAGE_SIZE);
	result = region->base ? region_map_parts(region, first) : -ENOMEM;
	if (result && result != -EEXIST) {
		if (region->base)
			place_untake(PLACE_DATA, region->base, size);
		place_untake(PLACE_META, meta, *meta_size);
	}
	return result;
}

/* A region that nobody knows yet; *meta_size: of its metadata. */
static bool region_make(struct region *region, size_t size, bool first,
			size_t *meta_size)
{
	int result = -EEXIST;
	unsigned i;

	/* No addresses at all, at the moment when they were looked for. */
	if (!size)
		return false;
	for (i = 0; i < MAKE_TRIES && result == -EEXIST; i++)
		result = region_try_make(region, size, first, meta_size);
	return !result;
}

/* Publishing: may run several times with the same values. */
static void region_publish(struct region *slot, const struct region *made)
{
	unsigned l;

	slot->base = made->base;
	slot->head = made->head;
	slot->tags = made->tags;
	slot->spans = made->spans;
	slot->bits = made->bits;
	slot->dirty = made->dirty;
	slot->guards = made->guards;
	for (l = 0; l < NR_LEVELS; l++)
		slot->levels[l] = made->levels[l];
	region_raise(&slot->nr_committed, REGION_QUANTUM);
	// [region.nr_units] with region_of(): base is readable
	store_release(&slot->nr_units, load_relaxed(&made->nr_units)); // const
	// [region.state] with region_is_ready(): all const fields
	store_release(&slot->state, REGION_READY);
}

/* Four times main memory, so that a heap of all of it finds room for long
 * runs. */
static size_t region_size_wanted(void)
{
	uint64_t goal = 4 * system_memory_size();
	size_t most = min_size(REGION_SIZE_MOST, place_size_most(PLACE_DATA));
	size_t size = region_size_usual;

	while (size < goal && size < most)
		size *= 2;
	return min_size(size, round_down(most, HUGEPAGE_SIZE));
}

/* Region 0 */

static char *region_elect(void)
{
	struct region made = { 0 };
	size_t meta_size;
	char *won = NULL;

	if (!region_make(&made, region_size_wanted(), true, &meta_size))
		// [first_region] with region_elect(): the winner's words are
		// filled
		return load_acquire(&first_region);
	// [first_region] with region_start(): the seed is written
	if (cas_acq_rel(&first_region, &won, made.head))
		return made.head;
	region_unmake(&made, true, meta_size);
	return won;
}

bool region_start(void)
{
	struct region found = { 0 };
	struct seed *seed;
	char *meta;

	if (region_is_ready(&regions[0]))
		return true;
	// [first_region] with region_elect(): the winner's words are filled
	meta = load_acquire(&first_region);
	if (!meta)
		meta = region_elect();
	if (!meta)
		return false;
	seed = region_seed(meta);
	region_lay_out(&found, meta, seed->nr_units);
	found.base = seed->base;
	store_relaxed(&found.nr_units, (uint32_t)seed->nr_units); // own
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

/* The bounds are nobody else's before READY. Its grower is through. */
static void region_publish_added(struct region *slot, struct region *made)
{
	// before publish
	region_raise(&slot->nr_committed, load_relaxed(&made->nr_committed));
	store_relaxed(&slot->nr_taken,
		      load_relaxed(&made->nr_taken)); // before publish
	store_relaxed(&slot->nr_mapped,
		      load_relaxed(&made->nr_mapped)); // before publish
	region_publish(slot, made);
}

bool region_add(size_t nr_units)
{
	struct region made = { 0 }, *slot;
	size_t size, meta_size;
	uint32_t unit, n;
	bool grown;

	if (nr_units > REGION_SIZE_MOST / UNIT_SIZE)
		return false;
	size = round_up(nr_units << UNIT_SHIFT, HUGEPAGE_SIZE);
	size = max_size(size, region_size_wanted());
	if (!region_make(&made, size, false, &meta_size))
		return false;
	/* Its first units, so that no region is added without memory. */
	store_relaxed(&made.nr_committed, REGION_QUANTUM); // before publish
	grown = region_grow(&made, (uint32_t)nr_units, &unit, &n);
	if (grown && region_claim_slot(&slot)) {
		level_release_units(&made, unit, n);
		region_publish_added(slot, &made);
		return true;
	}
	if (grown)
		system_unmap(region_addr(&made, unit), (size_t)n << UNIT_SHIFT);
	region_unmake(&made, false, meta_size);
	return false;
}
