/* What the tests of the slab layer share: a heap on the fake system. */
#ifndef LANE_SLAB_FIXTURE_H
#define LANE_SLAB_FIXTURE_H

#include <stdlib.h>

#include "cases.h"
#include "fake_system.h"
#include "page_heap_check.h"
#include "pageheap/regions.h"
#include "slab/bin.h"
#include "slab/collect.h"
#include "slab_check.h"

static inline int heap_setup(void **state)
{
	(void)state;
	fake_reset();
	size_class_start();
	return region_start() ? 0 : -1;
}

FIXTURE(collected)
{
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	page_heap_check();
}

static inline const struct unit_tag *tag_of(const void *object)
{
	return &regions[0].tags[region_unit(&regions[0], object)];
}

/* Of each `step` of the nr objects the first n go back. */
static inline void give_each(unsigned id, void *const *objects, size_t nr,
			     size_t step, unsigned n)
{
	for (size_t i = 0; i < nr; i += step)
		bin_give(id, objects + i, n);
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
