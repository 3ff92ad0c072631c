/* layer 5.10: realloc: in place where that is right, else by moving */
#include "front/realloc.h"

#include "front/alloc.h"
#include "front/block.h"
#include "front/colour.h"
#include "front/foreign.h"
#include "front/free.h"
#include "front/large.h"
#include "front/tick.h"
#include "guard/pool.h"

/* An object of more than twice what is asked for moves to a smaller one, so
 * that its memory is not held for nothing. */
static force_inline bool object_stays(size_t has, size_t size)
{
	return size <= has && (size > has / 2 || has <= CACHE_LINE);
}

/* Resizes a run in place; one that a class would serve as well moves there. */
static bool run_stays(struct block *block, size_t size)
{
	if (size <= SMALL_SIZE_MOST && size <= block->size / 2)
		return false;
	if (!large_resize(block, size))
		return false;
	tick_end();
	return true;
}

/* Allocates the block to move to: what grew once will grow again. */
static force_inline void *realloc_alloc(size_t has, size_t size)
{
	void *object = heap_try_alloc(size);

	if (likely(object))
		return object;
	return size > has ? heap_alloc_growing(size) : heap_alloc_slow(size);
}

/* Leaves the block where it is; its footer, if it has one, moves, and a guarded
 * one's size is what a sized free names. */
static void *realloc_stay(void *pointer, const struct block *block, size_t size)
{
	if (unlikely(block->kind == BLOCK_GUARDED))
		guarded_shrink(block, size);
	else if (unlikely(block_footer_of(block)))
		block_footer_set(pointer, block, size);
	return pointer;
}

static void realloc_copy(void *to, void *pointer, const struct block *from,
			 size_t size)
{
	struct block block = { .kind = BLOCK_OBJECT };

	if (from->kind == BLOCK_RUN)
		page_map_find(colour_off(to), &block);
	if (block.kind == BLOCK_RUN)
		large_move(to, pointer, size);
	else
		__builtin_memcpy(to, pointer, size);
}

/* What is behind `has` bytes stays where it is: until the block is freed its
 * footer is a live one's, and others may look at it. */
static void *realloc_move(void *pointer, const struct block *from, size_t has,
			  size_t size)
{
	void *to = realloc_alloc(from->size, size);

	if (!to && size > from->size - block_footer_of(from))
		return NULL;
	if (!to)
		return realloc_stay(pointer, from, size);
	realloc_copy(to, pointer, from, min_size(has, size));
	colour_drop(pointer, from);
	heap_free_judged(pointer, from);
	return to;
}

/* A guarded block moves, as its slot is worth more than the copy. */
static bool block_stays(struct block *block, size_t whole)
{
	switch (block->kind) {
	case BLOCK_RUN:
		return run_stays(block, whole);
	case BLOCK_OBJECT:
		return object_stays(block->size, whole);
	case BLOCK_GUARDED:
	case BLOCK_FOREIGN:
	case BLOCK_NONE:
	case BLOCK_INSIDE:
		break;
	}
	return false;
}

static cold void *realloc_found(void *pointer, size_t size)
{
	size_t footer = block_footer_size(), whole = size + footer, has;
	struct block block;

	block_find_live(pointer, "realloc", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_realloc(pointer, size);
	block_form_check(pointer, &block, FORM_C, "realloc");
	has = block_usable_size(pointer, &block, "realloc");
	if (size > (size_t)PTRDIFF_MAX - footer)
		return NULL;
	if (block_stays(&block, whole))
		return realloc_stay(pointer, &block, size);
	return realloc_move(pointer, &block, has, size);
}

static cold void *realloc_coloured(void *pointer, size_t size)
{
	struct colour_look look;
	void *to;

	colour_look_begin(&look, pointer, "realloc");
	to = realloc_found(look.plain, size);
	if (to == look.plain)
		to = colour_resize(&look, size);
	colour_look_end(&look);
	return to;
}

/* Reallocates a live object, without footers and checks, as the open gate
 * says. */
static force_inline void *realloc_object(void *pointer,
					 const struct block *from, size_t size)
{
	void *to;

	if (object_stays(from->size, size))
		return pointer;
	to = realloc_alloc(from->size, size);
	if (unlikely(!to))
		return size <= from->size ? pointer : NULL;
	__builtin_memcpy(to, pointer, min_size(from->size, size));
	if (unlikely(!percpu_push_tagged(from->tag, pointer)))
		heap_free_slow(pointer);
	return to;
}

void *heap_realloc(void *pointer, size_t size)
{
	uint64_t end = gate_read(&anchor.tags_end);
	struct block block;

	if (unlikely(!page_map_try_live(pointer, end, &block)))
		return unlikely(colours_are_on()) ?
			       realloc_coloured(pointer, size) :
			       realloc_found(pointer, size);
	return realloc_object(pointer, &block, size);
}
