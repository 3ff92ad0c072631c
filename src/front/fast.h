/* layer 5.1: fast: malloc and free as far as a lane serves them
 *
 * One section each, and nothing but a test of the gate's word and of the page
 * map's entry before it. What they refuse is the cold halves' (alloc.h,
 * free.h). A thread that dies here loses the block in its hand. Wait-free;
 * callers may be in signal handlers, before main and after it.
 */
#ifndef LANE_FAST_H
#define LANE_FAST_H

#include "cpucache/percpu.h"
#include "sample/sampler.h"
#include "slab/page_map.h"

/* Allocates by a lane; NULL: the cold half must do it. */
static force_inline void *heap_try_alloc(size_t size)
{
	if (unlikely(size >= gate_read(&anchor.small_end)))
		return NULL;
	return percpu_pop(size_lane_of(size));
}

/* Allocates all but the sampled ones while the profile is on: the section takes
 * the size off its CPU's count. */
static force_inline void *heap_try_alloc_counted(size_t size)
{
	/* The gate first: before start-up a thread may have no TLS. */
	if (size >= gate_read(&sample_gate.small_end))
		return NULL;
	return percpu_pop_counted(size_lane_of(size), size);
}

/* Frees by a lane; false: the cold half must do it. */
static force_inline bool heap_try_free(void *block)
{
	const struct unit_tag *tag;

	tag = page_map_try(block, gate_read(&anchor.tags_end));
	return likely(tag) && percpu_push_tagged(tag, block);
}

#endif
