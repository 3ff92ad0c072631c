/* layer 5.2: block: what a pointer of the program points at */
#include "front/block.h"

#include "pageheap/guard.h"
#include "slab/slab.h"
#include "system/config.h"
#include "system/report.h"

/* Whether an address in a unit without a tag lies in a large block. */
static bool inside_large(const struct region *region, uint32_t unit)
{
	uint32_t at = unit;

	while (at > 0 && !region->tags[at].class)
		at--;
	return region->tags[at].class == CLASS_LARGE &&
	       unit - at < load_relaxed(&region->spans[at].nr_units); // hint
}

static _Noreturn void block_fault(const struct region *region, uint32_t unit,
				  const void *pointer, const char *verb)
{
	const char *what = "not a block";

	if (inside_large(region, unit))
		what = "inside a block";
	fault("%s of %p: %s", verb, pointer, what);
}

static void small_check(const void *pointer, const struct unit_tag *tag,
			const char *verb)
{
	const struct size_class *class = &size_classes[tag->class];
	uint64_t offset = (uint32_t)(uintptr_t)pointer - tag->start;

	if (offset >= (uint64_t)class->nr_objects * class->size)
		fault("%s of %p: not a block", verb, pointer);
	if (offset * class->magic >= class->magic)
		fault("%s of %p: inside a block", verb, pointer);
	if (slab_object_is_free(pointer))
		fault("%s of %p: already free", verb, pointer);
}

static void find_large(const void *pointer, const char *verb,
		       struct block *block)
{
	struct region *region = block->region;

	if (region->tags[block->unit].class != CLASS_LARGE)
		block_fault(region, block->unit, pointer, verb);
	if (pointer != region_addr(region, block->unit))
		fault("%s of %p: inside a block", verb, pointer);
	// own: held by caller
	block->nr_units = load_relaxed(&region->spans[block->unit].nr_units);
	if (!block->nr_units)
		fault("%s of %p: already free", verb, pointer);
	block->kind = BLOCK_LARGE;
	block->size = ((size_t)block->nr_units << UNIT_SHIFT) -
		      guard_size(region, block->unit + block->nr_units - 1);
}

void block_find(const void *pointer, const char *verb, struct block *block)
{
	struct region *region = region_of(pointer);
	const struct unit_tag *tag;

	block->kind = BLOCK_FOREIGN;
	if (!region)
		return;
	block->region = region;
	block->unit = region_unit(region, pointer);
	// [region.nr_committed] with region_raise(): the tags are readable
	if (block->unit >= load_acquire(&region->nr_committed))
		fault("%s of %p: not a block", verb, pointer);
	tag = &region->tags[block->unit];
	if (!tag->magic) {
		find_large(pointer, verb, block);
		return;
	}
	small_check(pointer, tag, verb);
	block->kind = BLOCK_SMALL;
	block->class = tag->class;
	block->size = size_classes[tag->class].size;
}

size_t block_footer_size(void)
{
	return config.usable == USABLE_REQUESTED ? sizeof(size_t) : 0;
}

static size_t *block_footer(const void *pointer, const struct block *block)
{
	return (size_t *)(void *)((char *)pointer + block->size) - 1;
}

void block_footer_set(void *pointer, const struct block *block, size_t size)
{
	*block_footer(pointer, block) = size;
}

size_t block_usable_size(const void *pointer, const struct block *block)
{
	if (block_footer_size())
		return *block_footer(pointer, block);
	return block->size;
}
