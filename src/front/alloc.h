/* layer 5.9: alloc: blocks of any size
 *
 * A block is an object of a class, or a run. What is asked for first is what
 * suits the size; where there is no memory for that, each source that may have
 * some is asked once, in the order of alloc_where_short(), before the answer is
 * NULL.
 *
 * All functions are lock-free and leave errno alone. A thread that dies in one
 * of them loses what it has in its hands: the block, a batch, a slab.
 */
#ifndef LANE_ALLOC_H
#define LANE_ALLOC_H

#include "front/fast.h"
#include "front/footer.h"

/* Does the whole operation, whatever the size: the cold half. */
void *heap_alloc_slow(size_t size);

/* Allocates a block of at least size bytes; NULL: no memory, or size >
 * PTRDIFF_MAX. */
static force_inline void *heap_alloc(size_t size)
{
	void *object = heap_try_alloc(size);

	if (unlikely(!object))
		return heap_alloc_slow(size);
	return object;
}

/* Allocates as heap_alloc() does, a block whose bytes are zero. */
void *heap_alloc_zeroed(size_t size);

/* Is the cold half for a block that grows by realloc, which is never guarded,
 * and beyond SMALL_SIZE_MOST a run, as that may grow in place. */
void *heap_alloc_growing(size_t size);

/* Allocates as heap_alloc() does, at a multiple of align, any power of two. */
void *heap_alloc_aligned(size_t size, size_t align);

/* Notes, with checks=full, that a block that was just allocated is for a call
 * of that form; NULL is fine. */
void heap_form_set(void *pointer, enum block_form form);

/* Counts the allocations that found no memory, since start. */
uint64_t heap_nr_out_of_memory(void);

#endif
