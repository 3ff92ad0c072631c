/* layer 5.2: block: misuse ends here; footers and fills */
#include "front/block.h"

#include "cpucache/cached.h"
#include "cpucache/mark.h"
#include "slab/slab.h"
#include "system/config.h"
#include "system/report.h"

void block_find(const void *pointer, const char *verb, struct block *block)
{
	page_map_find(pointer, block);
	if (block->kind == BLOCK_NONE || block->kind == BLOCK_INSIDE)
		page_map_fault(pointer, verb, block);
	if ((block->kind == BLOCK_OBJECT && page_map_is_free(block)) ||
	    (block->kind == BLOCK_RUN && !block->nr_units))
		fault("%s of %p: already free", verb, pointer);
}

void block_find_live(const void *pointer, const char *verb, struct block *block)
{
	block_find(pointer, verb, block);
	if (config_checks_fast() && block->kind == BLOCK_OBJECT &&
	    mark_is_set(pointer, block->tag->magic) &&
	    cached_finds(pointer, block->size_class))
		fault("%s of %p: already free", verb, pointer);
}

#define MIX_FOOTER 0x9e3779b97f4a7c15
#define MIX_FILL 0xbf58476d1ce4e5b9
#define SLACK_MOST 128 /* bytes behind the size asked for that are filled */
#define SLACK_BYTE 0xa9
#define FILL_PAGE 4096 /* no page is smaller */
#define FILL_MOST 1024 /* bytes of objects that are larger than a page */

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

/* Every bit of it follows from all bits of the address above it: of a product
 * alone the low ones are the address's zeros. */
static uint64_t footer_key(const void *pointer)
{
	uint64_t key = (uintptr_t)pointer * MIX_FOOTER;

	key ^= key >> 32;
	return key * MIX_FOOTER ^ key >> 32;
}

/* Twice, as sizes have 40 bits at most: what was written over the low end
 * alone is no size, either. */
static uint64_t footer_of(size_t size)
{
	return size | (uint64_t)size << 40;
}

void block_footer_set(void *pointer, const struct block *block, size_t size)
{
	*block_footer(pointer, block) = footer_of(size) ^ footer_key(pointer);
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
	uint64_t footer;
	size_t size;

	if (!block_footer_size())
		return block->size;
	footer = *block_footer(pointer, block) ^ footer_key(pointer);
	size = footer & (((uint64_t)1 << 40) - 1);
	if (footer != footer_of(size) || size > block->size - sizeof(uint64_t))
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

static uint64_t fill_word(const void *pointer, const struct block *block)
{
	uint64_t mix = slab_life(block) * MIX_FILL;

	return ((uintptr_t)pointer + (mix ^ mix >> 32)) * MIX_FOOTER;
}

void block_fill(void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block);
	uint64_t fill = fill_word(pointer, block), *words = pointer;

	for (i = 0; i < n; i++)
		words[i] = fill;
}

void block_fill_check(const void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block), nr = 0;
	const uint64_t *words = pointer;
	uint64_t fill = fill_word(pointer, block);

	for (i = 0; i < n; i++)
		nr += words[i] == fill;
	if (nr && nr < n)
		fault("malloc of %p: written to after it was freed", pointer);
}
