/* layer 5.5: realloc: in place where that is right, else by moving */
#include "front/heap.h"

#include "front/block.h"
#include "front/foreign.h"
#include "front/large.h"
#include "front/tick.h"

/* A block that is more than twice as large as what is asked for moves to a
 * smaller one, so that its memory is not held for nothing. */
static bool fits(const struct block *block, size_t size)
{
	return size <= block->size &&
	       (block->kind == BLOCK_LARGE || size > block->size / 2 ||
		block->size <= 64);
}

/* The block stays where it is; its footer, if it has one, moves. */
static void *realloc_stay(void *pointer, size_t size)
{
	struct block block;

	if (unlikely(block_footer_size())) {
		block_find(pointer, "realloc", &block);
		block_footer_set(pointer, &block, size);
	}
	return pointer;
}

/* The block to move to: what grew once will grow again. */
static force_inline void *realloc_alloc(size_t from_size, size_t size)
{
	if (size > SMALL_SIZE_MOST && size > from_size)
		return heap_alloc_growing(size);
	return heap_alloc(size);
}

static void *realloc_move(void *pointer, const struct block *from, size_t size)
{
	size_t footer = block_footer_size();
	size_t keep = min_size(from->size - footer, size);
	void *to = realloc_alloc(from->size, size);
	struct block block;

	if (!to && size + footer > from->size)
		return NULL;
	if (!to)
		return realloc_stay(pointer, size);
	if (from->kind == BLOCK_LARGE)
		block_find(to, "realloc", &block);
	if (from->kind == BLOCK_LARGE && block.kind == BLOCK_LARGE)
		large_move(to, pointer, keep);
	else
		__builtin_memcpy(to, pointer, keep);
	/* It may have gone with the pages. */
	if (footer)
		block_footer_set(pointer, from, from->size - footer);
	heap_free(pointer);
	return to;
}

/* The fast way: no footers, no checks, as the open gate says. */
static force_inline void *realloc_small(void *pointer, size_t from_size,
					size_t size)
{
	void *to;

	if (size <= from_size && (size > from_size / 2 || from_size <= 64))
		return pointer;
	to = realloc_alloc(from_size, size);
	if (unlikely(!to))
		return size <= from_size ? pointer : NULL;
	__builtin_memcpy(to, pointer, min_size(from_size, size));
	heap_free(pointer);
	return to;
}

/* A run that a class would serve as well moves there. */
static bool large_stays(const struct block *block, size_t size)
{
	return size > SMALL_SIZE_MOST || size > block->size / 2;
}

static void *realloc_any(void *pointer, size_t size)
{
	struct block block;
	size_t whole = size + block_footer_size();

	block_find_live(pointer, "realloc", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_realloc(pointer, size);
	if (block_footer_size())
		block_usable_size(pointer, &block, "realloc");
	if (size > (size_t)PTRDIFF_MAX - block_footer_size())
		return NULL;
	if (block.kind == BLOCK_LARGE && large_stays(&block, whole) &&
	    large_resize(&block, whole)) {
		tick_pass();
		return realloc_stay(pointer, size);
	}
	if (block.kind == BLOCK_SMALL && fits(&block, whole))
		return realloc_stay(pointer, size);
	return realloc_move(pointer, &block, size);
}

void *heap_realloc(void *pointer, size_t size)
{
	const struct unit_tag *tag = heap_small_tag(pointer);

	if (unlikely(!tag) || unlikely(!block_is_live(pointer, tag)))
		return realloc_any(pointer, size);
	return realloc_small(pointer, size_classes[tag->class].size, size);
}
