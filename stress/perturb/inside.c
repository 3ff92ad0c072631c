/* inside: accounts for every byte of a heap that stands still
 *
 * Linked instead of slab/bin.c, which it contains.
 *
 *	every claimed unit is a slab's, a large block's, a CPU cache's, a bin
 *		set's or of the pool of guarded blocks, and the budget counts
 *		the same
 *	every slab that is on is in exactly one list; one that is not has no
 *		free object and is in none
 *	no slot of the pool is in a thread's hand
 *	every cached object is in one lane once, and not free in its slab
 */
#include "front/free.h"
#include "guard/pool.h"
#include "slab/bin.c"

#include "cpucache/cpu_cache.h"
#include "load.h"
#include "tests/slab_check.h"
#include "pageheap/budget.h"
#include "../../tests/page_heap_check.h"
#include "system/fault.h"

/* Bits by unit: whether a slab was met in a list; by object: in a lane. */
static struct {
	unsigned char *listed;     /* by unit of region 0, 1, ... in a row */
	unsigned char *cached;     /* by 16 bytes of the same */
	size_t units_before[NR_REGIONS_MOST];
} marks;

static size_t marks_units(void)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < NR_REGIONS_MOST && region_is_ready(&regions[i]); i++) {
		marks.units_before[i] = sum;
		sum += load_relaxed(&regions[i].nr_committed); // quiet
	}
	return sum;
}

static size_t mark_of_unit(const struct region *r, uint32_t unit)
{
	return marks.units_before[r - regions] + unit;
}

static void listed_note(unsigned id, unsigned size_class, struct span *slab)
{
	struct region *r = region_of_span(slab);
	uint32_t unit = region_span_unit(r, slab);
	struct slab_word w = slab_word_unpack(load_relaxed(&slab->word)); // own

	if (marks.listed[mark_of_unit(r, unit)]++)
		fault("slab %p is in two lists", (void *)slab);
	if (w.size_class != size_class ||
	    r->tags[unit].size_class != size_class)
		fault("slab %p of class %u is in a list of class %u of id %u",
		      (void *)slab, w.size_class, size_class, id);
	if (!w.on)
		fault("slab %p is listed and not on", (void *)slab);
}

static unsigned listed_chain(unsigned id, unsigned size_class,
			     struct span *slab)
{
	unsigned n = 0;

	for (; slab; slab = slab_chain_next(slab), n++)
		listed_note(id, size_class, slab);
	return n;
}

static void listed_bin(unsigned id, unsigned size_class, struct bin *bin)
{
	struct span *slot = load_relaxed(&bin->slot); // own
	struct slab_stack *stack;
	unsigned i, n = 0;

	for (i = 0; i < 4; i++) {
		stack = &bin->partial[i / 2][i % 2];
		n += listed_chain(id, size_class, slab_stack_top(stack));
	}
	if (slot)
		listed_note(id, size_class, slot);
	listed_chain(id, size_class, slab_inbox_top(&bin->inbox));
	if (n != load_relaxed(&bin->nr_listed)) // own
		fault("bin of id %u, class %u: %u slabs, nr_listed %u", id,
		      size_class, n, load_relaxed(&bin->nr_listed)); // own
}

static void listed_all(void)
{
	unsigned id, size_class;

	/* The last is the profile's. */
	for (id = 0; id <= NR_IDS_MOST; id++) {
		if (!bin_set_find(id))
			continue;
		for (size_class = 1; size_class < NR_CLASSES; size_class++)
			listed_bin(id, size_class,
				   &bin_set_find(id)->bins[size_class]);
	}
}

/* ---- the CPU caches ---- */

static void cached_note(void *object, unsigned size_class)
{
	struct block block;
	size_t at;

	page_map_find(object, &block);
	if (block.kind != BLOCK_OBJECT ||
	    (size_class && block.size_class != size_class))
		fault("object %p is in a lane of another class", object);
	at = ((size_t)((char *)object - block.region->base) >> 4) +
	     marks.units_before[block.region - regions] * (UNIT_SIZE / 16);
	if (page_map_is_free(&block))
		fault("object %p is cached and free", object);
	if (marks.cached[at]++)
		fault("object %p is cached twice", object);
}

/* 0: of any class. */
static unsigned cached_class(unsigned lane)
{
	if (lane == FAR_LANE)
		return 0;
	return lane < NR_CLASSES ? lane : lane - REMOTE_LANES;
}

static uint64_t cached_area(char *area)
{
	struct lane *lane;
	unsigned size_class, i;
	uint64_t size = 0;

	for (size_class = 1; size_class < NR_LANES; size_class++) {
		lane = cpu_cache_lane(area, size_class);
		if (lane_nr(lane) > size_classes[size_class].lane_slots)
			fault("a lane holds %lu objects",
			      (unsigned long)lane_nr(lane));
		for (i = 0; i < lane_nr(lane); i++)
			cached_note(lane->slots[i], cached_class(size_class));
		size += lane_nr(lane) * size_classes[size_class].size;
	}
	return size;
}

static void cached_all(uint64_t *size)
{
	unsigned id;

	for (id = 0; id < NR_IDS_MOST; id++) {
		struct cpu_cache *cache = cpu_cache_of(id);

		if (!cache)
			continue;
		*size += cached_area(cpu_cache_area(cache, 0)) +
			 cached_area(cpu_cache_area(cache, 1));
	}
}

/* ---- guarded blocks ---- */

/* Between calls no slot is in anybody's hand. */
static void guarded_check(void)
{
	struct slot *slot;
	uint32_t i;

	for (i = 0; (slot = guarded_slot(i)); i++)
		if (slot_word_unpack(load_relaxed(&slot->word)).state == // own
		    SLOT_HELD)
			fault("slot %u of the pool is held", i);
}

/* ---- slabs and large blocks, by the page map ---- */

static void slab_account(struct region *r, uint32_t unit, uint64_t *held)
{
	struct span *slab = &r->spans[unit];
	struct slab_word w = slab_word_unpack(load_relaxed(&slab->word)); // own
	const struct size_class *c = &size_classes[w.size_class];
	bool listed = marks.listed[mark_of_unit(r, unit)];
	unsigned nr_free = slab_nr_free(slab);

	slab_check(slab);
	if (w.on && !listed)
		fault("slab %p, %u of %u free, owner %u: on and in no list",
		      (void *)slab, nr_free, c->nr_objects, w.owner);
	if (!w.on && nr_free)
		fault("slab %p, %u of %u free, is in no list", (void *)slab,
		      nr_free, c->nr_objects);
	*held += (uint64_t)(c->nr_objects - nr_free) * c->size;
}

static uint64_t walk_region(struct region *r, struct inside *out,
			    uint64_t *held)
{
	uint32_t end = load_relaxed(&r->nr_committed), at = 0, n; // quiet
	uint64_t units = 0;

	for (; at < end; at += n) {
		n = 1;
		if (tag_is_guarded(&r->tags[at])) {
			/* What lives there is counted by slots. */
		} else if (r->tags[at].size_class == CLASS_LARGE) {
			n = load_relaxed(&r->spans[at].nr_units); // own
			*held += (uint64_t)n << UNIT_SHIFT;
			out->nr_large++;
		} else if (r->tags[at].magic || tag_is_sampled(&r->tags[at])) {
			n = size_classes[r->tags[at].size_class].nr_units;
			slab_account(r, at, held);
			out->nr_slabs++;
		} else {
			continue;
		}
		units += n;
	}
	return units;
}

static void check_units(struct inside *out, uint64_t known)
{
	struct page_heap_count count;
	uint64_t claimed;

	page_heap_check();
	page_heap_count(&count);
	claimed = count.nr_data - count.nr_free;
	out->claimed_size = claimed << UNIT_SHIFT;
	out->nr_unfiled = count.nr_unfiled;
	out->nr_unhinted = count.nr_unhinted;
	if (claimed != known)
		fault("%lu units are claimed, %lu are known of",
		      (unsigned long)claimed, (unsigned long)known);
	if (budget_claimed_size() != out->claimed_size)
		fault("budget: %lu bytes claimed instead of %lu",
		      (unsigned long)budget_claimed_size(),
		      (unsigned long)out->claimed_size);
	if (budget_dirty_size() >> UNIT_SHIFT != count.nr_dirty)
		fault("budget: %lu dirty units instead of %lu",
		      (unsigned long)(budget_dirty_size() >> UNIT_SHIFT),
		      (unsigned long)count.nr_dirty);
}

void inside_let_go(void)
{
	heap_quarantine_flush();
}

void inside_check(struct inside *out)
{
	size_t units = marks_units(), i;
	size_t size = units + units * (UNIT_SIZE / 16);
	uint64_t known = 0, held = 0;

	inside_let_go(); /* what waits is neither live nor free */
	*out = (struct inside){ 0 };
	marks.listed = inside_map(size);
	marks.cached = marks.listed + units;
	listed_all();
	cached_all(&out->cached_size);
	for (i = 0; i < NR_REGIONS_MOST; i++)
		if (region_is_ready(&regions[i]))
			known += walk_region(&regions[i], out, &held);
	if (held < out->cached_size)
		fault("more is cached than the slabs have handed out");
	out->live_size = held - out->cached_size + guarded_live_size();
	guarded_check();
	check_units(out, known);
	inside_unmap(marks.listed, size);
}

uint64_t inside_block_size(const void *block)
{
	struct region *r = region_of(block);
	uint32_t unit = region_unit(r, block);
	struct block guarded;

	if (tag_is_guarded(&r->tags[unit])) {
		if (!guarded_find(block, &guarded))
			fault("block %p is in the pool and not live", block);
		return guarded.size;
	}
	if (r->tags[unit].size_class == CLASS_LARGE)
		return (uint64_t)load_relaxed(&r->spans[unit].nr_units) // own
		       << UNIT_SHIFT;
	return size_classes[r->tags[unit].size_class].size;
}
