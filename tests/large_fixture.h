/* What the tests of large blocks share. */
#ifndef LANE_LARGE_FIXTURE_H
#define LANE_LARGE_FIXTURE_H

#include "heap_fixture.h"

#include "front/block.h"
#include "front/large.h"

static inline struct block find(const void *pointer)
{
	struct block block;

	block_find(pointer, "test", &block);
	return block;
}

static inline char *large(size_t size)
{
	bool zero;
	char *pointer = large_alloc(size, 16, &zero);

	assert_non_null(pointer);
	return pointer;
}

static inline void give(void *pointer)
{
	struct block block = find(pointer);

	large_free(pointer, &block);
}

#endif
