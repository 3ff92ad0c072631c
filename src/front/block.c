/* layer 5.2: block: what a pointer of the program points at */
#include "front/block.h"

#include "slab/slab.h"
#include "system/config.h"
#include "system/report.h"

/* Whether an address in a unit without a tag lies in a large block. */
static bool inside_large(const struct region *region, uint32_t unit)
{
	uint32_t at = unit;

	while (at > region->first_unit && !region->tags[at].class)
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
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;

	if (offset / class->size >= class->nr_objects)
		fault("%s of %p: not a block", verb, pointer);
	if (offset % class->size)
		fault("%s of %p: inside a block", verb, pointer);
	if (slab_object_is_free(pointer))
		fault("%s of %p: already free", verb, pointer);
}

struct block block_find(const void *pointer, const char *verb)
{
	struct region *region = region_of(pointer);
	const struct unit_tag *tag;
	uint32_t unit, nr;

	if (!region)
		return (struct block){ .kind = BLOCK_FOREIGN };
	unit = region_unit(region, pointer);
	// [region.nr_committed] with region_commit(): the tags are readable
	if (unit < region->first_unit ||
	    unit >= load_acquire(&region->nr_committed))
		fault("%s of %p: not a block", verb, pointer);
	tag = &region->tags[unit];
	if (tag->magic) {
		small_check(pointer, tag, verb);
		return (struct block){ .kind = BLOCK_SMALL,
				       .class = tag->class,
				       .size = size_classes[tag->class].size };
	}
	if (tag->class != CLASS_LARGE)
		block_fault(region, unit, pointer, verb);
	if (pointer != region_addr(region, unit))
		fault("%s of %p: inside a block", verb, pointer);
	nr = load_relaxed(&region->spans[unit].nr_units); // own: held by caller
	if (!nr)
		fault("%s of %p: already free", verb, pointer);
	return (struct block){ .kind = BLOCK_LARGE,
			       .region = region,
			       .unit = unit,
			       .nr_units = nr,
			       .size = (size_t)nr << UNIT_SHIFT };
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
