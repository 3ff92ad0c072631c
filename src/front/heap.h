/* layer 5.1: heap: what malloc and free mean, without names and errno
 *
 * The entry layer puts the C and C++ names on top of this. NULL and false say
 * "no memory"; nothing here touches errno. All functions may run in signal
 * handlers, before main and after it.
 *
 * Blocks up to MEDIUM_SIZE_MOST are objects of slabs, passed through the CPU's
 * cache; larger ones are runs of the page heap. So are those above
 * SMALL_SIZE_MOST that must be zero (fresh memory need not be touched) or that
 * grew by realloc (they will grow again, and a run can in place). Every block
 * is aligned to 16.
 */
#ifndef LANE_HEAP_H
#define LANE_HEAP_H

#include "cpucache/percpu.h"
#include "slab/size_class.h"

/* The cold halves; each does the whole operation for all cases. */
void *heap_alloc_slow(size_t size);
void heap_free_slow(void *block);

/* The fast path alone; NULL: the cold half must do it. */
static force_inline void *heap_try_alloc(size_t size)
{
	if (unlikely(size >= gate_read(&anchor.small_end)))
		return NULL;
	return percpu_pop(size_lane_of(size));
}

/* A block of at least size bytes; NULL: no memory, or size > PTRDIFF_MAX. */
static force_inline void *heap_alloc(size_t size)
{
	void *object = heap_try_alloc(size);

	if (unlikely(!object))
		return heap_alloc_slow(size);
	return object;
}

/* The tag of a live small or medium block, as far as tags below `end` tell;
 * NULL: the cold half must judge. */
static force_inline const struct unit_tag *heap_tag_below(const void *block,
							   uint64_t end)
{
	/* 16 * unit number, counted from address 0: the tag, and with it the
	 * lane, hangs on the block by as few steps as can be. */
	size_t at = round_down((uintptr_t)block >> (UNIT_SHIFT - 4), 16);
	const struct unit_tag *tag = (void *)(anchor.tags + at);
	uint64_t offset, magic;

	if (unlikely(at - anchor.tags_first >= end))
		return NULL;
	offset = (uint32_t)(uintptr_t)block - tag->start;
	magic = load_once(&tag->magic); /* one owner for both */
	if (unlikely(offset * magic >= magic))
		return NULL;
	return tag;
}

static force_inline const struct unit_tag *heap_small_tag(const void *block)
{
	return heap_tag_below(block, gate_read(&anchor.tags_end));
}

/* The fast path alone; false: the cold half must do it. */
static force_inline bool heap_try_free(void *block)
{
	const struct unit_tag *tag = heap_small_tag(block);

	return likely(tag) && percpu_push_tagged(tag, block);
}

/* Frees a block; NULL is fine, foreign blocks go to libc, misuse aborts. */
static force_inline void heap_free(void *block)
{
	if (unlikely(!heap_try_free(block)))
		heap_free_slow(block);
}

/* As heap_alloc(), and the block's bytes are zero. */
void *heap_alloc_zeroed(size_t size);

/* As heap_alloc(), beyond SMALL_SIZE_MOST a run, which may grow in place. */
void *heap_alloc_growing(size_t size);

/* As heap_alloc(); align: any power of two. */
void *heap_alloc_aligned(size_t size, size_t align);

/* block != NULL, size > 0. NULL: no memory, and block is as it was. */
void *heap_realloc(void *block, size_t size);

/* size (and align) as the program believes it; checked on request only. */
void heap_free_sized(void *block, size_t size);
void heap_free_aligned_sized(void *block, size_t align, size_t size);
void heap_free_aligned(void *block, size_t align);

/* Bytes that the program may use; block may be NULL: 0. */
size_t heap_usable_size(const void *block);

/* Gives back what can be given; the bytes. most: bound on the work. */
size_t heap_purge(size_t keep_size);

/* Makes the heap ready; every slow path calls it by itself. False: no memory.
 * Lock-free, idempotent. */
bool heap_start(void);

/* The program may now have threads: checks the kernel, gives birth to a helper.
 * Called where a thread is about to be created, never from an allocation. */
void heap_threads_start(void);

/* Counters since start. */
uint64_t heap_nr_foreign_frees(void);
uint64_t heap_nr_out_of_memory(void);

/* Closes and opens the fast paths' gate for a while: nested calls count. While
 * closed every call takes the direct path. */
void heap_gate_close(void);
void heap_gate_open(void);

/* Opens it where a sandbox that did not come to be kept it closed. */
void heap_gate_settle(void);

/* Around the life of a child that runs in this thread's place, on its memory
 * and thread pointer: the gate is closed, and what the child forbids itself
 * ends with it. In the thread that sleeps meanwhile. */
void heap_vfork_begin(void);
void heap_vfork_end(void);

#endif
