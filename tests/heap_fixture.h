/* What the tests of the front layers share: a whole heap on the fake system. */
#ifndef LANE_HEAP_FIXTURE_H
#define LANE_HEAP_FIXTURE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cpucache/drain.h"
#include "cpucache/rseq.h"
#include "fake_system.h"
#include "front/gate.h"
#include "front/heap.h"
#include "front/stats.h"
#include "page_heap_check.h"
#include "pattern.h"
#include "slab_check.h"
#include "system/config.h"
#include "threads.h"

#define MIB ((size_t)1 << 20)

/* One CPU, so that a thread alone keeps its id. */
static inline void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline int heap_setup(void **state)
{
	(void)state;
	fake_reset_quiet();
	if (!config_start())
		return -1;
	/* Blocks end where their units do; see test_guard_page.c for others. */
	config.large_guard = LARGE_GUARD_OFF;
	return heap_start() ? 0 : -1;
}

static inline int heap_setup_pinned(void **state)
{
	stay_on_this_cpu();
	return heap_setup(state);
}

/* heap_alloc() of a size that the compiler does not know. */
static __attribute__((noinline, unused)) void *block_alloc(size_t size)
{
	return heap_alloc(size);
}

/* Memory that was in use, and is free and dirty. */
static inline void dirty_freed(size_t size)
{
	char *block = heap_alloc_aligned(size, MIB);

	assert_non_null(block);
	memset(block, 1, size);
	heap_free(block);
}

/* What the names with hints make of them. */
#define heap_free_sized(block, size) \
	heap_free_aligned_sized(block, 0, size)
#define heap_free_aligned(block, align) \
	heap_free_hinted(block, FORM_ANY, align, NULL)
#define heap_free_aligned_sized(block, align, size) \
	heap_free_hinted(block, FORM_ANY, align, &(size_t){ size })

static inline bool has_lanes(void)
{
	return load_relaxed(&rseq_state.mode) != MODE_DIRECT; // hint
}

static inline bool can_drain(void)
{
	return has_lanes() && rseq_state.fence;
}

static inline struct lanemalloc_stats stats_now(void)
{
	struct lanemalloc_stats stats;

	stats_gather(&stats);
	return stats;
}

static inline uint64_t claimed_size(void)
{
	struct page_heap_stats stats;

	page_heap_stats(&stats);
	return stats.claimed_size;
}

/* Whether the object's bit is set. */
static inline bool object_is_free(const void *object)
{
	struct block block;

	page_map_find(object, &block);
	assert_int_equal(block.kind, BLOCK_OBJECT);
	return page_map_is_free(&block);
}

/* Everything was freed: nothing stays behind, in no layer. */
static inline void all_is_free(void)
{
	struct lanemalloc_stats s;

	heap_quarantine_flush();
	heap_purge(0);
	s = stats_now();
	assert_int_equal(s.live_size, 0);
	assert_int_equal(s.cached_size, 0);
	assert_int_equal(s.nr_slabs, 0);
	assert_int_equal(s.nr_large, 0);
	page_heap_check();
}

/* Options that the fast paths do not know need a closed gate. */
static inline void option_set(uint64_t *option, uint64_t value)
{
	gate_close();
	*option = value;
	gate_open();
}

/* The pattern of the block's size: all of a page, and then a byte in a line. */
#define PATTERN_HEAD ((size_t)4096)
#define PATTERN_LINE 61

static inline void pattern_set(void *block, size_t size)
{
	pattern_write(block, 0, min_size(size, PATTERN_HEAD), size);
	for (size_t i = PATTERN_HEAD; i < size; i += PATTERN_LINE)
		((unsigned char *)block)[i] = pattern_byte(size, i);
}

/* The first `keep` bytes of a block that had `size` bytes. */
static inline bool pattern_is(const void *block, size_t size, size_t keep)
{
	if (!pattern_is_there(block, 0, min_size(keep, PATTERN_HEAD), size))
		return false;
	for (size_t i = PATTERN_HEAD; i < keep; i += PATTERN_LINE)
		if (((const unsigned char *)block)[i] != pattern_byte(size, i))
			return false;
	return true;
}

static inline bool all_zero(const void *block, size_t size)
{
	const unsigned char *bytes = block;

	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

/* Whether the last message is exactly this one; further lines tell of it. */
static inline bool message_is(const char *fmt, const void *pointer)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "lanemalloc: ");

	n += snprintf(text + n, sizeof(text) - (size_t)n, fmt, pointer);
	snprintf(text + n, sizeof(text) - (size_t)n, "\n");
	n = (int)strlen(text);
	return !strncmp(text, fake_text(), (size_t)n) &&
	       (!fake_text()[n] ||
		!strncmp(fake_text() + n, "lanemalloc:   ", 14));
}

/* The statement ends in abort() after this message. */
#define assert_fault(fmt, pointer, ...)                     \
	do {                                                \
		fake_text_clear();                          \
		assert_true(fake_aborts(__VA_ARGS__));      \
		if (!message_is(fmt, pointer))              \
			fail_msg("message: %s", fake_text()); \
	} while (0)

#endif
