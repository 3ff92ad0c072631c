/* layer 5.4: alloc: the cold half of allocation */
#include "front/heap.h"

#include "cpucache/cpu_cache.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/reclaimer.h"
#include "front/tick.h"
#include "slab/bin.h"

#define COLLECT_MOST 256 /* slabs of each list, before ENOMEM */

static _Atomic(uint64_t) nr_out_of_memory; /* atomic: counter */

static void *small_alloc(unsigned class)
{
	if (gate_is_open())
		return cpu_cache_alloc_slow(class);
	return cpu_cache_alloc_direct(class);
}

/* A block of at least size bytes, footer included; size <= PTRDIFF_MAX. */
static void *alloc_any(size_t size, size_t align, bool *zero)
{
	unsigned class = 0;

	*zero = false;
	if (align <= 16 && size <= SMALL_SIZE_MOST)
		class = size_class_of(size);
	else if (align > 16)
		class = size_class_aligned(size, align);
	if (class)
		return small_alloc(class);
	return large_alloc(max_size(size, 1), align, zero);
}

/* No memory: what lies free in this CPU's cache and in slabs may do. */
static cold void alloc_collect(void)
{
	if (gate_is_open())
		cpu_cache_flush_own();
	bin_collect_all(COLLECT_MOST, COLLECT_AGE_NEVER);
}

static cold void *alloc_failed(void)
{
	add_relaxed(&nr_out_of_memory, 1); // counter
	return NULL;
}

/* The same, collecting once where memory is short. */
static void *alloc_hard(size_t size, size_t align, bool *zero)
{
	void *pointer = alloc_any(size, align, zero);

	if (likely(pointer))
		return pointer;
	alloc_collect();
	pointer = alloc_any(size, align, zero);
	return pointer ? pointer : alloc_failed();
}

static void *alloc_slow(size_t size, size_t align, bool *zero)
{
	bool ready = heap_start(); /* reads the options, the footer's too */
	size_t footer = block_footer_size();
	struct block block;
	void *pointer;

	if (!ready || size > (size_t)PTRDIFF_MAX - footer ||
	    align > (size_t)PTRDIFF_MAX)
		return alloc_failed();
	pointer = alloc_hard(size + footer, align, zero);
	if (pointer && unlikely(footer)) {
		block = block_find(pointer, "malloc");
		block_footer_set(pointer, &block, size);
	}
	reclaimer_wake();
	tick_pass();
	return pointer;
}

void *heap_alloc_slow(size_t size)
{
	bool zero;

	return alloc_slow(size, 16, &zero);
}

void *heap_alloc_zeroed(size_t size)
{
	bool zero = false;
	void *pointer;

	if (size < load_relaxed(&anchor.small_end)) // gate
		pointer = heap_alloc(size);
	else
		pointer = alloc_slow(size, 16, &zero);
	if (pointer && !zero)
		__builtin_memset(pointer, 0, size);
	return pointer;
}

void *heap_alloc_aligned(size_t size, size_t align)
{
	unsigned class;
	bool zero;

	if (align <= 16)
		return heap_alloc(size);
	if (size < load_relaxed(&anchor.small_end)) { // gate
		class = size_class_aligned(size, align);
		if (class)
			return heap_alloc(size_classes[class].size);
	}
	return alloc_slow(size, align, &zero);
}

uint64_t heap_nr_out_of_memory(void)
{
	return load_relaxed(&nr_out_of_memory); // counter
}
