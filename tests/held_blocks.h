/* held_blocks: blocks of the heap's tests, with their patterns, under options
 * that change between the tests */
#ifndef HELD_BLOCKS_H
#define HELD_BLOCKS_H

#include "heap_fixture.h"

#define NR_BLOCKS 4096

static struct held {
	char *block;
	size_t size;
} held[NR_BLOCKS];
static unsigned nr_held;

static void option(const char *text)
{
	struct config changed = config;

	config_parse(&changed, text);
	heap_quarantine_flush();
	gate_close();
	config = changed;
	gate_open();
}

FIXTURE(done)
{
	fake_reset_quiet();
	option("checks=0,usable=real,quarantine=16m");
	all_is_free();
}

static void hold(void *block, size_t size)
{
	assert_non_null(block);
	assert_int_equal((uintptr_t)block % 16, 0);
	assert_true(heap_usable_size(block) >= size);
	pattern_set(block, size);
	assert_true(nr_held < NR_BLOCKS);
	held[nr_held++] = (struct held){ block, size };
}

static void held_free(void)
{
	while (nr_held) {
		struct held *h = &held[--nr_held];

		assert_true(pattern_is(h->block, h->size, h->size));
		heap_free(h->block);
	}
}

#endif
