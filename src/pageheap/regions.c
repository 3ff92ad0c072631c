/* layer 2.6: regions: placing, making and publishing regions */
#include "pageheap/regions.h"

#include <errno.h>

#include "pageheap/level.h"
#include "pageheap/region_grow.h"
#include "system/config.h"
#include "system/place.h"
#include "system/system.h"

#define MAKE_TRIES 4
/* Arrays begin at multiples of it from the first, and so do quanta of them. */
#define PAGE_MOST ((size_t)64 << 10)

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

	level->nr_summary = (uint32_t)div_up(nr_parents, WORD_BITS);
	level->free_index = region_words(at, nr_parents * FREE_INDEX_LINE);
	level->free_index_summary = region_words(
		at, (size_t)level->nr_summary * FREE_INDEX_LINE + 1);
	level->words = region_words(at, level->nr_words);
}

static void region_lay_levels(struct region *region, size_t nr_units, char **at)
{
	size_t count = nr_units;
	unsigned l;

	for (l = 0; l < NR_LEVELS; l++) {
		count = div_up(count, WORD_BITS);
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

/* Lays out all that its metadata and its size tell; returns their end. */
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

static void region_unmap_mapped(void *at, size_t size)
{
	if (system_is_mapped(at, size))
		system_unmap(at, size);
}

/* Unmaps what a growth that was refused half-way mapped of the arrays. */
static void region_unmap_arrays(const struct region *region, uint32_t to)
{
	uint32_t from = load_relaxed(&region->nr_committed); // before publish
	uint32_t n = to - from;

	if (to <= from)
		return;
	region_unmap_mapped(region->tags + from, n * sizeof(struct unit_tag));
	region_unmap_mapped(region->spans + from, n * sizeof(struct span));
	region_unmap_mapped(region->bits + (size_t)from * UNIT_BITS_WORDS,
			    n * UNIT_BITS_WORDS * sizeof(uint64_t));
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

/* Maps all of it, or nothing, and writes the seed. */
static int region_map_parts(const struct region *region, bool first)
{
	struct part parts[NR_PARTS];
	unsigned n = region_parts(region, first, parts), i;
	struct seed *seed = parts[0].at;
	int result;

	for (i = 0; i < n; i++) {
		result = place_map_at(parts[i].at, parts[i].size);
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

/* Takes places for it, and maps what it begins with. -EEXIST: somebody else's
 * memory is there; these places stay taken, so that the next call finds others.
 * */
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

/* Makes a region that nobody knows yet; *meta_size: of its metadata. */
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

/* Returns four times main memory, so that a heap of all of it finds room for
 * long runs. */
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
	region_unmap_arrays(&made,
			    (uint32_t)round_up(nr_units, REGION_QUANTUM));
	region_unmake(&made, false, meta_size);
	return false;
}
