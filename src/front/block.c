/* layer 5.2: block: what a pointer of the program points at */
#include "front/block.h"

#include "cpucache/cached.h"
#include "cpucache/mark.h"
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

void block_find_live(const void *pointer, const char *verb,
		     struct block *block)
{
	block_find(pointer, verb, block);
	if (config_checks_fast() && block->kind == BLOCK_SMALL &&
	    mark_is_set(pointer, size_classes[block->class].magic) &&
	    cached_finds(pointer, block->class))
		fault("%s of %p: already free", verb, pointer);
}

#define MIX_FOOTER 0x9e3779b97f4a7c15
#define MIX_FILL 0xbf58476d1ce4e5b9
#define SLACK_MOST 128	 /* bytes behind the size asked for that are filled */
#define SLACK_BYTE 0xa9
#define FILL_PAGE 4096	 /* no page is smaller */
#define FILL_MOST 1024	 /* bytes of objects that are larger than a page */

size_t block_footer_size(void)
{
	if (unlikely(!config_start()))
		return sizeof(uint64_t);
	return config.usable == USABLE_REQUESTED || config_checks_full() ?
		       sizeof(uint64_t) :
		       0;
}

static uint64_t *block_footer(const void *pointer, const struct block *block)
{
	return (uint64_t *)(void *)((char *)pointer + block->size) - 1;
}

static size_t slack_end(const struct block *block, size_t size)
{
	return min_size(size + SLACK_MOST, block->size - sizeof(uint64_t));
}

void block_footer_set(void *pointer, const struct block *block, size_t size)
{
	*block_footer(pointer, block) = size ^ (uintptr_t)pointer * MIX_FOOTER;
	__builtin_memset((char *)pointer + size, SLACK_BYTE,
			 slack_end(block, size) - size);
}

static void slack_check(const void *pointer, const struct block *block,
			size_t size, const char *verb)
{
	const unsigned char *bytes = pointer;
	size_t i, end = slack_end(block, size);

	for (i = size; i < end; i++)
		if (bytes[i] != SLACK_BYTE)
			fault("%s of %p: written behind its %zu bytes", verb,
			      pointer, size);
}

size_t block_usable_size(const void *pointer, const struct block *block,
			 const char *verb)
{
	size_t size;

	if (!block_footer_size())
		return block->size;
	size = *block_footer(pointer, block) ^
	       (uintptr_t)pointer * MIX_FOOTER;
	if (size > block->size - sizeof(uint64_t))
		fault("%s of %p: written behind its end", verb, pointer);
	if (config_checks_full())
		slack_check(pointer, block, size, verb);
	return size;
}

static size_t fill_words(const void *pointer, const struct block *block)
{
	size_t page = FILL_PAGE - (uintptr_t)pointer % FILL_PAGE;
	size_t size = block->size < FILL_PAGE ? block->size : FILL_MOST;

	return min_size(size, page) / sizeof(uint64_t);
}

static uint64_t fill_word(const void *pointer)
{
	uint64_t mix = slab_life(pointer) * MIX_FILL;

	return ((uintptr_t)pointer + (mix ^ mix >> 32)) * MIX_FOOTER;
}

void block_fill(void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block);
	uint64_t fill = fill_word(pointer), *words = pointer;

	for (i = 0; i < n; i++)
		words[i] = fill;
}

void block_fill_check(const void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block), nr = 0;
	const uint64_t *words = pointer;
	uint64_t fill = fill_word(pointer);

	for (i = 0; i < n; i++)
		nr += words[i] == fill;
	if (nr && nr < n)
		fault("malloc of %p: written to after it was freed", pointer);
}
