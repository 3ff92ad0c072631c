/* layer 5.4: alloc: the cold half of allocation */
#include "front/heap.h"

#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "cpucache/mark.h"
#include "cpucache/rseq.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/tick.h"
#include "pageheap/page_heap.h"
#include "slab/bin.h"
#include "slab/fitted_class.h"
#include "system/config.h"

/* Slabs of each list, before ENOMEM: all, as a sweep bounds itself. */
#define COLLECT_MOST ((unsigned)-1 >> 1)

static _Atomic(uint64_t) nr_out_of_memory; /* atomic: counter */

/* With checks=fast what goes out has no mark. */
static force_inline void *unmarked(void *object)
{
	if (object && gate_read(&gate_checked.small_end))
		mark_clear(object);
	return object;
}

static void *small_alloc(unsigned class)
{
	if (gate_is_open()) {
		rseq_ensure();
		return unmarked(cpu_cache_alloc_slow(class));
	}
	return cpu_cache_alloc_direct(class);
}

/* What the caller wants of a block. */
struct wish {
	size_t size; /* footer included; at most PTRDIFF_MAX */
	size_t align;
	bool run;  /* rather a run than an object of medium size */
	bool zero; /* answer: all bytes read as zero */
};

/* The class that serves the wish; 0: none. */
static unsigned wish_class(const struct wish *wish)
{
	if (wish->run && wish->size > SMALL_SIZE_MOST)
		return 0;
	if (wish->align > 16)
		return size_class_aligned(wish->size, wish->align);
	if (wish->size <= SMALL_SIZE_MOST)
		return size_class_of(wish->size);
	if (wish->size <= MEDIUM_SIZE_MOST)
		return size_class_of_medium(wish->size);
	return 0;
}

static void *alloc_any(struct wish *wish)
{
	unsigned class = wish_class(wish);

	if (class && wish->align <= 16 && wish->size <= SMALL_SIZE_MOST) {
		fitted_class_note(class, wish->size);
		size_lane_mend(wish->size, class);
	}
	if (class)
		return small_alloc(class);
	return large_alloc(max_size(wish->size, 1), wish->align, &wish->zero);
}

/* No memory: what lies free in the CPUs' caches and in slabs may do. */
static cold void alloc_collect(void)
{
	if (gate_is_open()) {
		cpu_cache_flush_own();
		drain_caches_urgent(rseq_self());
	}
	bin_collect_all(COLLECT_MOST, COLLECT_AGE_NEVER);
}

static cold void *alloc_failed(void)
{
	add_relaxed(&nr_out_of_memory, 1); // counter
	return NULL;
}

/* Whom a fitted class took the size from may have free objects, or smaller
 * slabs. */
static void *alloc_fixed(const struct wish *wish)
{
	unsigned class = wish_class(wish);

	if (class == size_classes[class].fixed)
		return NULL;
	return small_alloc(size_classes[class].fixed);
}

/* The same, and where a slab of medium objects cannot be had, a run of fewer
 * units; where no run, a free object. */
static void *alloc_either(struct wish *wish)
{
	void *pointer = alloc_any(wish);

	if (likely(pointer) || wish->size > MEDIUM_SIZE_MOST)
		return pointer;
	if (wish->size <= SMALL_SIZE_MOST)
		return alloc_fixed(wish);
	wish->run = !wish->run;
	return alloc_any(wish);
}

/* The same, collecting once where memory is short; in the end a small block
 * may be a unit. */
static void *alloc_hard(struct wish *wish)
{
	void *pointer = alloc_either(wish);

	if (likely(pointer))
		return pointer;
	if (page_heap_may_hold(div_up(wish->size, UNIT_SIZE))) {
		alloc_collect();
		pointer = alloc_either(wish);
	}
	if (!pointer && wish->size <= SMALL_SIZE_MOST)
		pointer = large_alloc(max_size(wish->size, 1), wish->align,
				      &wish->zero);
	return pointer ? pointer : alloc_failed();
}

static cold void alloc_finish(void *pointer, size_t size)
{
	struct block block;

	block_find(pointer, "malloc", &block);
	if (config_checks_full() && block.kind == BLOCK_SMALL)
		block_fill_check(pointer, &block);
	block_footer_set(pointer, &block, size);
}

static void *alloc_slow(struct wish *wish)
{
	bool ready = heap_start(); /* reads the options, the footer's too */
	size_t footer = block_footer_size(), size = wish->size;
	void *pointer;

	if (!ready || size > (size_t)PTRDIFF_MAX - footer ||
	    wish->align > (size_t)PTRDIFF_MAX)
		return alloc_failed();
	wish->size += footer;
	pointer = alloc_hard(wish);
	if (pointer && unlikely(footer))
		alloc_finish(pointer, size);
	tick_pass();
	return pointer;
}

/* The fast path of medium sizes. */
static void *medium_try_alloc(size_t size)
{
	if (!gate_is_open() || size <= SMALL_SIZE_MOST ||
	    size > MEDIUM_SIZE_MOST)
		return NULL;
	return unmarked(
		percpu_pop(size_classes[size_class_of_medium(size)].lane));
}

/* The fast path of checks=fast, and that of medium sizes. */
static force_inline void *lane_try_alloc(size_t size)
{
	if (size < gate_read(&gate_checked.small_end))
		return unmarked(percpu_pop(size_lane_of(size)));
	return medium_try_alloc(size);
}

void *heap_alloc_slow(size_t size)
{
	struct wish wish = { .size = size, .align = 16 };
	void *object = lane_try_alloc(size);

	return object ? object : alloc_slow(&wish);
}

void *heap_alloc_zeroed(size_t size)
{
	struct wish wish = { .size = size, .align = 16, .run = true };
	void *pointer;

	if (size < (gate_read(&anchor.small_end) |
		    gate_read(&gate_checked.small_end)))
		pointer = heap_alloc(size);
	else
		pointer = alloc_slow(&wish);
	if (pointer && !wish.zero)
		__builtin_memset(pointer, 0, size);
	return pointer;
}

void *heap_alloc_growing(size_t size)
{
	struct wish wish = { .size = size, .align = 16, .run = true };

	if (size <= SMALL_SIZE_MOST)
		return heap_alloc(size);
	return alloc_slow(&wish);
}

void *heap_alloc_aligned(size_t size, size_t align)
{
	struct wish wish = { .size = size, .align = align };
	void *object = NULL;
	unsigned class;

	if (align <= 16)
		return heap_alloc(size);
	/* Started as seen from here: the table is filled. */
	if (gate_is_open() && heap_start()) {
		class = size_class_aligned(size, align);
		if (class)
			object = unmarked(
				percpu_pop(size_classes[class].lane));
	}
	return object ? object : alloc_slow(&wish);
}

uint64_t heap_nr_out_of_memory(void)
{
	return load_relaxed(&nr_out_of_memory); // counter
}
