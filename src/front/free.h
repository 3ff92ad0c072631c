/* layer 5.9: free: blocks go back
 *
 * A free that no fast path takes asks the page map once (block_find()) and
 * hands the answer down: to libc, to a lane, to a slab, to the page heap.
 *
 * All functions are lock-free and leave errno alone; misuse ends the program.
 * A thread that dies in one of them loses the block, or the batch that it
 * flushes.
 */
#ifndef LANE_FREE_H
#define LANE_FREE_H

#include "front/fast.h"
#include "front/footer.h"
#include "front/retire.h"

/* Does the whole operation, whatever the pointer: the cold half. */
void heap_free_slow(void *pointer);

/* As that, by a call of that form. */
void heap_free_formed(void *pointer, enum block_form form);

/* Frees a block that block_find_live() judged. */
void heap_free_judged(void *pointer, const struct block *block);

/* Frees a block; NULL is fine, foreign blocks go to libc, misuse aborts. */
static force_inline void heap_free(void *pointer)
{
	if (unlikely(!heap_try_free(pointer)))
		heap_free_slow(pointer);
}

/* Frees as heap_free_formed() does a block whose align and size are as the
 * program believes them, 0 and NULL where it says nothing of them; they are
 * checked on request only. */
void heap_free_hinted(void *pointer, enum block_form form, size_t align,
		      const size_t *size);

#endif
