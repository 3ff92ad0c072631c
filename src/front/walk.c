/* layer 5.4: walk: what lies in the units of all regions, slab by slab;
 * contract in walk.h */
#include "front/walk.h"

#include "base/bits.h"
#include "pageheap/guard_page.h"
#include "slab/slab.h"

static struct unit_tag read_tag(const struct region *r, uint32_t unit)
{
	const volatile struct unit_tag *tag = &r->tags[unit];

	return (struct unit_tag){
		.start = tag->start,
		.size_class = tag->size_class,
	};
}

static unsigned share_of(unsigned nr_objects, unsigned nr_free)
{
	unsigned used = nr_objects - nr_free;

	if (!used || !nr_free)
		return used ? WALK_SHARES - 1 : 0;
	return (used * (WALK_SHARES - 2) + nr_objects - 1) / nr_objects;
}

static void class_count(struct walk_class *size_class, unsigned nr_objects,
			unsigned nr_free)
{
	size_class->nr_slabs++;
	size_class->nr_objects += nr_objects;
	size_class->nr_free += nr_free;
	size_class->nr_by_share[share_of(nr_objects, nr_free)]++;
}

static uint32_t walk_slab(struct walk *walk, const struct region *r,
			  uint32_t unit, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	size_t nr_free = min_size(slab_nr_free(&r->spans[unit]), c->nr_objects);

	if (walk->classes)
		class_count(&walk->classes[size_class], c->nr_objects,
			    (unsigned)nr_free);
	walk->nr_slabs++;
	walk->slab_size += (uint64_t)c->nr_objects * c->size;
	walk->slab_free_size += (uint64_t)nr_free * c->size;
	return (uint32_t)max_size(c->nr_units, 1);
}

static uint32_t walk_large(struct walk *walk, const struct region *r,
			   uint32_t unit)
{
	uint32_t n = load_relaxed(&r->spans[unit].nr_units); // hint

	if (!n || n > load_relaxed(&r->nr_units) - unit) // const by now
		return 1;
	walk->nr_large++;
	walk->large_size += n * UNIT_SIZE - guard_page_size(r, unit + n - 1);
	return n;
}

/* Counts what begins at `unit`; returns how many units to go on by. */
static uint32_t walk_unit(struct walk *walk, const struct region *r,
			  uint32_t unit)
{
	struct unit_tag tag = read_tag(r, unit);
	uint32_t start = (uint32_t)(uintptr_t)region_addr(r, unit);

	if (tag.size_class == CLASS_LARGE)
		return walk_large(walk, r, unit);
	if (tag.start != start)
		return 1;
	if (tag.size_class == CLASS_NONE || tag.size_class >= NR_CLASSES)
		return 1;
	return walk_slab(walk, r, unit, tag.size_class);
}

static void walk_region(struct walk *walk, const struct region *r)
{
	// [region.nr_committed] with region_raise(): the tags are readable
	uint32_t end = load_acquire(&r->nr_committed), unit = 0;

	end = (uint32_t)min_size(end, load_relaxed(&r->nr_used)); // hint

	while (unit < end)
		unit += walk_unit(walk, r, unit);
}

void walk_heap(struct walk *walk)
{
	unsigned i;

	for (i = 0; i < NR_REGIONS_MOST; i++) {
		if (region_is_ready(&regions[i]))
			walk_region(walk, &regions[i]);
	}
}
