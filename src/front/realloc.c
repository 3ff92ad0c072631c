/* layer 5.5: realloc: in place where that is right, else by moving */
#include "front/heap.h"

#include "front/foreign.h"
#include "front/large.h"
#include "front/tick.h"
#include "slab/slab.h"

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

	block_find(pointer, "realloc", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_realloc(pointer, size);
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

/* What heap_small_tag() found begins where an object of region 0 does, or one
 * behind the slab's last: whether it is live as far as the slab knows. As
 * slab_object_is_free(), but by what the tag has told already. */
static force_inline bool small_is_live(const void *pointer,
				       const struct unit_tag *tag)
{
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;
	const char *slab = (const char *)pointer - offset;
	uint32_t unit = region_unit(&regions[0], slab);
	uint64_t i = (uint64_t)((unsigned __int128)tag->magic * offset >> 64);
	_Atomic(uint64_t) *bits = regions[0].bits;

	bits += (size_t)unit * UNIT_BITS_WORDS;
	if (unlikely(i >= size_classes[tag->class].nr_objects))
		return false;
	return !(load_relaxed(&bits[i / 64]) & bits_one(i % 64)); // hint
}

void *heap_realloc(void *pointer, size_t size)
{
	const struct unit_tag *tag = heap_small_tag(pointer);

	if (unlikely(!tag) || unlikely(!small_is_live(pointer, tag)))
		return realloc_any(pointer, size);
	return realloc_small(pointer, size_classes[tag->class].size, size);
}
