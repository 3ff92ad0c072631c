/* layer 5.5: realloc: in place where that is right, else by moving */
#include "front/heap.h"

#include "front/foreign.h"
#include "front/large.h"

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
		block = block_find(pointer, "realloc");
		block_footer_set(pointer, &block, size);
	}
	return pointer;
}

static void *realloc_move(void *pointer, const struct block *from, size_t size)
{
	size_t footer = block_footer_size();
	size_t keep = min_size(from->size - footer, size);
	void *to = size > from->size ? heap_alloc_growing(size) :
				       heap_alloc(size);
	struct block block;

	if (!to && size + footer > from->size)
		return NULL;
	if (!to)
		return realloc_stay(pointer, size);
	if (from->kind == BLOCK_LARGE)
		block = block_find(to, "realloc");
	if (from->kind == BLOCK_LARGE && block.kind == BLOCK_LARGE)
		large_move(to, pointer, keep);
	else
		__builtin_memcpy(to, pointer, keep);
	heap_free(pointer);
	return to;
}

void *heap_realloc(void *pointer, size_t size)
{
	struct block block = block_find(pointer, "realloc");
	size_t whole = size + block_footer_size();

	if (block.kind == BLOCK_FOREIGN)
		return foreign_realloc(pointer, size);
	if (size > (size_t)PTRDIFF_MAX - block_footer_size())
		return NULL;
	if (block.kind == BLOCK_LARGE && whole > SMALL_SIZE_MOST &&
	    large_resize(&block, whole))
		return realloc_stay(pointer, size);
	if (block.kind == BLOCK_SMALL && fits(&block, whole))
		return realloc_stay(pointer, size);
	return realloc_move(pointer, &block, size);
}
