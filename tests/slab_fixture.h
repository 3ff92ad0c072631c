/* What the tests of the slab layer share: a heap on the fake system. */
#ifndef LANE_SLAB_FIXTURE_H
#define LANE_SLAB_FIXTURE_H

#include <stdlib.h>

#include "cases.h"
#include "fake_system.h"
#include "page_heap_check.h"
#include "pageheap/regions.h"
#include "slab/collect.h"
#include "slab_check.h"

static inline int heap_setup(void **state)
{
	(void)state;
	fake_reset();
	size_class_start();
	return region_start() ? 0 : -1;
}

/* Gives n objects that are all of `slab`. */
static inline enum slab_given give(struct span *slab, void *const *objects,
				   unsigned n, uint64_t *word)
{
	struct slab_gift gift = slab_give(objects, n);

	assert_ptr_equal(gift.slab, slab);
	assert_int_equal(gift.nr, n);
	*word = gift.word;
	return gift.result;
}

#endif
