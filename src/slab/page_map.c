/* layer 3.2: page map: kinds of blocks, and the one judge of an address */
#include "slab/page_map.h"

#include "pageheap/guard_page.h"
#include "system/fault.h"
#include "system/nodes.h"

_Noreturn cold void page_map_fault_entry(const void *pointer)
{
	fault("corrupted: the tag of %p", pointer);
}

static void measure_run(struct block *block)
{
	struct region *region = block->region;
	uint32_t nr = block->nr_units;

	block->size = (size_t)nr << UNIT_SHIFT;
	if (nr)
		block->size -= guard_page_size(region, block->unit + nr - 1);
}

static void find_run(const void *pointer, struct block *block)
{
	struct region *region = block->region;

	block->kind = BLOCK_INSIDE;
	if (pointer != region_addr(region, block->unit))
		return;
	block->kind = BLOCK_RUN;
	// own: held by caller
	block->nr_units = load_relaxed(&region->spans[block->unit].nr_units);
	measure_run(block);
}

/* Units without an entry: of nobody, or behind the first of a run. */
static cold void find_inside(struct block *block)
{
	const struct region *region = block->region;
	uint32_t at = block->unit, nr;

	while (at > 0 && !region->tags[at].size_class)
		at--;
	nr = load_relaxed(&region->spans[at].nr_units); // hint
	block->kind = BLOCK_NONE;
	if (region->tags[at].size_class == CLASS_LARGE && block->unit - at < nr)
		block->kind = BLOCK_INSIDE;
}

static void find_outside_slabs(const void *pointer, struct block *block)
{
	struct region *region = block->region;

	block->kind = region ? BLOCK_NONE : BLOCK_FOREIGN;
	block->tag = NULL;
	if (!region)
		return;
	block->unit = region_unit(region, pointer);
	// [region.nr_committed] with region_raise(): the tags are readable
	if (block->unit >= load_acquire(&region->nr_committed))
		return;
	block->tag = &region->tags[block->unit];
	if (tag_is_guarded(block->tag))
		block->kind = BLOCK_GUARDED;
	else if (block->tag->size_class == CLASS_LARGE)
		find_run(pointer, block);
	else
		find_inside(block);
}

void page_map_find(const void *pointer, struct block *block)
{
	const struct unit_tag *tag = page_map_slab(pointer, &block->region);

	if (tag)
		page_map_object(block->region, tag, pointer, block);
	else
		find_outside_slabs(pointer, block);
}

/* By a copy of the entry, of which nothing changes between two looks. */
bool page_map_look(const void *pointer, struct block *block)
{
	struct region *region = block->region = region_of(pointer);
	uint32_t unit = region ? region_unit(region, pointer) : 0;
	struct unit_tag tag;

	// [region.nr_committed] with region_raise(): the tags are readable
	if (!region || unit >= load_acquire(&region->nr_committed))
		return false;
	tag = *(const volatile struct unit_tag *)&region->tags[unit];
	block->unit = unit;
	block->tag = &region->tags[unit];
	if (!tag.magic && !tag_is_sampled(&tag)) {
		if (tag.size_class != CLASS_LARGE || tag_is_guarded(&tag))
			return false;
		find_run(pointer, block);
		return block->kind == BLOCK_RUN;
	}
	if (!page_map_is_whole(&tag, tag.magic, pointer) ||
	    (uint32_t)(uintptr_t)pointer - tag.start >
		    (size_t)((const char *)pointer - region->base))
		return false;
	page_map_object(region, &tag, pointer, block);
	block->tag = &region->tags[unit];
	return true;
}

const char *page_map_fault_text(const struct block *block)
{
	return block->kind == BLOCK_INSIDE ? "inside a block" : "not a block";
}

_Noreturn cold void page_map_fault(const void *pointer, const char *verb,
				   const struct block *block)
{
	fault("%s of %p: %s", verb, pointer, page_map_fault_text(block));
}

static unsigned remote_of(unsigned size_class)
{
	return unlikely(load_relaxed(&nodes_used)) ?
		       size_class_remote_by_node(size_class) :
		       size_class_remote(size_class);
}

void page_map_set_slab(struct region *region, uint32_t unit,
		       unsigned size_class, unsigned owner)
{
	const struct size_class *c = &size_classes[size_class];
	struct unit_tag tag = {
		.magic = owner == SLAB_SAMPLED ? 0 : c->magic | owner,
		.start = (uint32_t)(uintptr_t)region_addr(region, unit),
		.lane = c->lane,
		.remote = size_classes[remote_of(size_class)].lane,
	};
	unsigned i;

	for (i = 0; i < c->nr_units; i++)
		region->tags[unit + i] = tag;
}

void page_map_clear(struct region *region, uint32_t unit, uint32_t nr_units)
{
	uint32_t i;

	for (i = 0; i < nr_units; i++)
		region->tags[unit + i] = (struct unit_tag){ 0 };
}

/* Givers read both meanwhile, and the magic number around the owner: as it was
 * or as it is, and each mixture names lanes that objects of the class may go
 * to. */
static void set_ways(struct region *region, uint32_t unit, unsigned size_class,
		     unsigned owner, unsigned remote)
{
	struct unit_tag *tag = &region->tags[unit];
	unsigned i;

	for (i = 0; i < size_classes[size_class].nr_units; i++, tag++) {
		store_once(&tag->remote, size_classes[remote].lane);
		store_once(&tag->owner, (uint16_t)owner);
	}
}

void page_map_set_owner(struct region *region, uint32_t unit,
			unsigned size_class, unsigned owner)
{
	set_ways(region, unit, size_class, owner, remote_of(size_class));
}

void page_map_set_waning(struct region *region, uint32_t unit,
			 unsigned size_class)
{
	set_ways(region, unit, size_class, OWNER_NOBODY,
		 REMOTE_LANES + size_class);
}

void page_map_set_run(struct region *region, uint32_t unit, uint32_t nr_units)
{
	// before publish
	store_relaxed(&region->spans[unit].nr_units, nr_units);
	region->tags[unit].size_class = CLASS_LARGE;
}

void page_map_set_guarded(struct region *region, uint32_t unit,
			  uint32_t nr_units)
{
	uint32_t i;

	for (i = unit; i < unit + nr_units; i++) {
		store_relaxed(&region->spans[i].nr_units, 0); // before publish
		region->tags[i] =
			(struct unit_tag){ .size_class = CLASS_LARGE };
		region->tags[i].remote = region->tags[i].lane;
	}
}

uint32_t page_map_take_run(const struct block *block)
{
	struct region *region = block->region;
	// own: of two frees one gets it
	uint32_t nr = take_relaxed(&region->spans[block->unit].nr_units, 0);

	if (nr)
		region->tags[block->unit] = (struct unit_tag){ 0 };
	return nr;
}

void page_map_resize_run(struct block *block, uint32_t nr_units)
{
	// own
	store_relaxed(&block->region->spans[block->unit].nr_units, nr_units);
	block->nr_units = nr_units;
	measure_run(block);
}
