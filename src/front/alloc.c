/* layer 5.9: alloc: the cold half of allocation */
#include "front/alloc.h"

#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "cpucache/mark.h"
#include "cpucache/rseq.h"
#include "cpucache/rseq_own.h"
#include "front/colour.h"
#include "front/free.h"
#include "front/gate.h"
#include "front/hardened.h"
#include "front/large.h"
#include "front/marked.h"
#include "front/outside.h"
#include "front/refusal.h"
#include "front/start.h"
#include "front/tick.h"
#include "guard/pool.h"
#include "pageheap/limit.h"
#include "pageheap/page_heap.h"
#include "slab/bin.h"
#include "slab/collect.h"
#include "slab/fitted_class.h"
#include "slab/slab.h"
#include "system/config.h"

static _Atomic(uint64_t) nr_out_of_memory; /* atomic: counter */

/* Takes the mark off what goes out, with checks=fast or hardened=1. */
static force_inline void *unmarked(void *object)
{
	if (object && config_checks_fast())
		mark_clear(object);
	return object;
}

/* Bytes more that a block of a lane has: with hardened=1 and checks=full its
 * footer. */
static force_inline size_t lane_footer_size(void)
{
	return unlikely(config.hardened || config_checks_full()) ?
		       block_footer_size() :
		       0;
}

/* Finds the object that a lane gave, most often by one look. */
static force_inline void object_find(void *object, struct block *block)
{
	const struct unit_tag *tag =
		page_map_try(object, gate_read(&gate_checked.tags_end));

	if (likely(tag))
		page_map_object(&regions[0], tag, object, block);
	else
		page_map_find(object, block);
}

/* What a lane gave becomes a block of so many bytes. */
static force_inline void *footed(void *object, size_t footer, size_t size)
{
	struct block block;

	if (unlikely(footer) && object) {
		object_find(object, &block);
		if (config_checks_full())
			block_reuse_check(object, &block, "malloc");
		block_footer_set(object, &block, size);
		object = colour_give(object, &block, size);
	}
	return object;
}

/* What the caller wants of a block. */
struct alloc_request {
	size_t size; /* footer included; at most PTRDIFF_MAX */
	size_t align;
	bool run;	/* rather a run than an object of medium size */
	bool zero;	/* answer: all bytes read as zero */
	bool grows;	/* by realloc: the program would pay for guards */
	uint32_t stack; /* of one that is followed; 0: it is none */
	struct sample_slab slab; /* where that would lie */
};

/* Returns the class that serves, where an object is wanted; 0: none. */
static unsigned request_class(const struct alloc_request *r)
{
	if (r->align > 16)
		return size_class_aligned(r->size, r->align);
	if (r->size <= SMALL_SIZE_MOST)
		return size_class_of(r->size);
	if (r->size <= MEDIUM_SIZE_MOST)
		return size_class_of_medium(r->size);
	return 0;
}

/* Take the object that the lane gives next, and give it back before anybody
 * else sees it. */
static void *next_take(unsigned size_class)
{
	void *object;

	if (!gate_is_open())
		return cpu_cache_alloc_direct(size_class);
	rseq_ensure();
	object = percpu_pop(class_lane(&size_classes[size_class]));
	return object ? object : cpu_cache_alloc_slow(size_class);
}

static void next_give(void *object, unsigned size_class)
{
	if (!gate_is_open())
		cpu_cache_free_direct(object);
	else if (!percpu_push(class_lane(&size_classes[size_class]), object))
		cpu_cache_free_slow(object, size_class);
}

/* Finds the slab that the next object would come from. */
static struct sample_slab slab_of_next(unsigned size_class)
{
	struct sample_slab slab = { 0 };
	void *object = next_take(size_class);
	struct block block;

	if (!object)
		return slab;
	page_map_find(object, &block);
	slab.life = slab_life(&block);
	slab.region = (uint16_t)(block.region - regions);
	slab.size_class = (uint8_t)block.size_class;
	next_give(object, size_class);
	return slab;
}

static cold void *alloc_sampled(struct alloc_request *r, unsigned size_class)
{
	r->slab = slab_of_next(size_class);
	return bin_take_sampled(size_class);
}

/* Allocates an object of the class; 0: a run. */
static void *alloc_by_class(struct alloc_request *r, unsigned size_class)
{
	void *object = NULL;

	if (!size_class)
		return large_alloc(max_size(r->size, 1), r->align, &r->zero);
	if (unlikely(r->stack))
		object = alloc_sampled(r, size_class);
	if (unlikely(object))
		return object;
	if (gate_is_open()) {
		rseq_ensure();
		return unmarked(cpu_cache_alloc_slow(size_class));
	}
	return unmarked(cpu_cache_alloc_direct(size_class));
}

/* Says what suits the size, and keeps the fitted classes informed. */
static unsigned suited_class(const struct alloc_request *r)
{
	unsigned size_class = 0;

	if (!r->run || r->size <= SMALL_SIZE_MOST)
		size_class = request_class(r);
	if (size_class && r->align <= 16 && r->size <= SMALL_SIZE_MOST) {
		fitted_class_note(size_class, r->size);
		size_lane_mend(r->size, size_class);
	}
	return size_class;
}

/* Allocates what serves as well: the class that a fitted one took the size
 * from, which may have free objects, or smaller slabs; of medium sizes a run
 * for an object, which is fewer units than a slab, and an object for a run. */
static void *alloc_unsuited(struct alloc_request *r)
{
	unsigned size_class;

	if (r->size > MEDIUM_SIZE_MOST)
		return NULL;
	size_class = request_class(r);
	if (r->size > SMALL_SIZE_MOST)
		return alloc_by_class(r, r->run ? size_class : 0);
	if (size_class == size_classes[size_class].fixed)
		return NULL;
	return alloc_by_class(r, size_classes[size_class].fixed);
}

/* Whether so many units could come of what lies free: where they do, or below
 * a hard limit elsewhere. */
static bool collect_may_help(size_t nr_units)
{
	uint32_t most = limit_hard_units();

	return page_heap_may_hold(nr_units) ||
	       (most != LIMIT_NO_UNITS && nr_units <= most);
}

/* Makes units of what waits, and of what lies free in the CPUs' caches and in
 * slabs. False: that cannot help. */
static cold bool alloc_collect(const struct alloc_request *r)
{
	if (!collect_may_help(div_up(r->size, UNIT_SIZE)))
		return false;
	heap_quarantine_flush();
	if (gate_is_open()) {
		cpu_cache_flush_own();
		drain_caches_urgent(rseq_self());
	}
	bin_collect_all(COLLECT_ALL, COLLECT_AGE_NEVER);
	return true;
}

/* Asks the sources of memory beyond what suits, in order. */
static cold void *alloc_where_short(struct alloc_request *r)
{
	void *pointer = alloc_unsuited(r);

	if (!pointer && alloc_collect(r)) {
		pointer = alloc_by_class(r, suited_class(r));
		if (!pointer)
			pointer = alloc_unsuited(r);
	}
	/* A small block may be a unit. */
	if (!pointer && r->size <= SMALL_SIZE_MOST)
		pointer = alloc_by_class(r, 0);
	return pointer;
}

/* Checks with checks=full that what goes out is as it was when it was freed,
 * and writes its footer. */
static cold void *alloc_finish(void *pointer, size_t size)
{
	struct block block;

	page_map_find(pointer, &block);
	if (block.kind == BLOCK_GUARDED)
		return pointer;
	if (config_checks_full())
		block_reuse_check(pointer, &block, "malloc");
	block_footer_set(pointer, &block, size);
	return colour_give(pointer, &block, size);
}

/* The profile follows blocks whose free takes the cold half. */
static cold void alloc_follow(void *pointer, size_t size,
			      struct alloc_request *r)
{
	struct block block;

	page_map_find(pointer, &block);
	if (block.kind == BLOCK_RUN)
		r->slab = (struct sample_slab){ 0 };
	if (block.kind == BLOCK_RUN || block.kind == BLOCK_GUARDED ||
	    page_map_is_sampled(&block))
		sample_add(pointer, size, r->stack, &r->slab, r->grows);
}

/* Allocates a guarded block where chance wants one, and notes the stack where
 * the profile follows the block. */
static cold void *alloc_for_sample(struct alloc_request *r, size_t size)
{
	bool guard = !r->grows && guarded_draw();
	uint32_t stack;
	void *block;

	outside_sampled();
	if (!guard && !sample_is_followed())
		return NULL;
	stack = sample_stack_counted();
	block = guard ? guarded_alloc(size, r->align, stack) : NULL;
	r->zero = block;
	if (sample_is_followed())
		r->stack = stack;
	return block;
}

static cold void *alloc_failed(void)
{
	add_relaxed(&nr_out_of_memory, 1);
	return NULL;
}

static cold void *alloc_refused(size_t size)
{
	pressure_refused(size);
	return alloc_failed();
}

static void *alloc_cold(struct alloc_request *r)
{
	bool ready = heap_start(); /* reads the options, the footer's too */
	size_t footer = block_footer_size(), size = r->size;
	void *pointer = NULL;

	if (!ready || size > (size_t)PTRDIFF_MAX - footer ||
	    r->align > (size_t)PTRDIFF_MAX)
		return alloc_failed();
	r->size += footer;
	outside_look();
	if (sample_is_on() && sample_count(size))
		pointer = alloc_for_sample(r, size);
	if (likely(!pointer))
		pointer = alloc_by_class(r, suited_class(r));
	if (unlikely(!pointer))
		pointer = alloc_where_short(r);
	if (unlikely(!pointer))
		pointer = alloc_refused(size);
	if (unlikely(r->stack) && pointer)
		alloc_follow(pointer, size, r);
	if (unlikely(footer) && pointer)
		pointer = alloc_finish(pointer, size);
	tick_pass();
	return pointer;
}

/* The fast path where calls are checked (config_checks_calls()), of the profile
 * and of medium sizes. */
static force_inline void *lane_try_alloc(size_t size)
{
	if (size < (gate_read(&gate_checked.small_end) |
		    gate_read(&gate_marked.small_end) |
		    gate_read(&sample_gate.small_end)))
		return unmarked(percpu_pop(size_lane_of(size)));
	if (!gate_is_open() || size <= SMALL_SIZE_MOST ||
	    size > MEDIUM_SIZE_MOST)
		return NULL;
	return unmarked(percpu_pop(
		class_lane(&size_classes[size_class_of_medium(size)])));
}

static force_inline void *footed_try_alloc(size_t size)
{
	size_t footer = lane_footer_size(), whole;

	if (__builtin_add_overflow(size, footer, &whole))
		return NULL;
	return footed(lane_try_alloc(whole), footer, size);
}

/* Takes what a lane serves, and counts it while the profile is on; NULL: the
 * rest counts it. */
static force_inline void *counted_try_alloc(size_t size)
{
	bool on = sample_is_on();
	void *object;

	if (on && !sample_fits(size))
		return NULL;
	object = footed_try_alloc(size);
	if (on && object)
		sample_pass(size);
	return object;
}

static __attribute__((noinline)) void *alloc_by_lane(size_t size)
{
	struct alloc_request r = { .size = size, .align = 16 };
	void *object = counted_try_alloc(size);

	return object ? object : alloc_cold(&r);
}

void *heap_alloc_slow(size_t size)
{
	void *object = config_wipes() ? hardened_try_alloc(size) :
					marked_try_alloc(size);

	return object ? object : alloc_by_lane(size);
}

void *heap_alloc_zeroed(size_t size)
{
	struct alloc_request r = { .size = size, .align = 16, .run = true };
	void *pointer;

	if (size <
	    (gate_read(&anchor.small_end) | gate_read(&gate_checked.small_end) |
	     gate_read(&gate_marked.small_end) |
	     gate_read(&sample_gate.small_end)))
		pointer = heap_alloc(size);
	else
		pointer = alloc_cold(&r);
	if (pointer && !r.zero)
		__builtin_memset(pointer, 0, size);
	return pointer;
}

void *heap_alloc_growing(size_t size)
{
	struct alloc_request r = {
		.size = size, .align = 16, .run = true, .grows = true
	};
	void *object = NULL;

	if (size <= SMALL_SIZE_MOST)
		object = counted_try_alloc(size);
	return object ? object : alloc_cold(&r);
}

void *heap_alloc_aligned(size_t size, size_t align)
{
	struct alloc_request r = { .size = size, .align = align };
	size_t footer = lane_footer_size();
	bool on = sample_is_on();
	void *object = NULL;
	unsigned size_class;

	if (align <= 16)
		return heap_alloc(size);
	/* Started as seen from here: the table is filled. */
	if (gate_is_open() && heap_start() && size <= PTRDIFF_MAX &&
	    (!on || sample_fits(size))) {
		size_class = size_class_aligned(size + footer, align);
		if (size_class)
			object = unmarked(percpu_pop(
				class_lane(&size_classes[size_class])));
		object = footed(object, footer, size);
	}
	if (on && object)
		sample_pass(size);
	return object ? object : alloc_cold(&r);
}

void heap_form_set(void *pointer, enum block_form form)
{
	struct block block;

	if (!config_checks_pairs() || !pointer)
		return;
	page_map_find(pointer, &block);
	if (block_footer_of(&block))
		block_form_set(pointer, &block, form);
}

uint64_t heap_nr_out_of_memory(void)
{
	return load_relaxed(&nr_out_of_memory);
}
