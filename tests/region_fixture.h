/* What the tests of regions share. */
#ifndef LANE_REGION_FIXTURE_H
#define LANE_REGION_FIXTURE_H

#include "page_heap_fixture.h"

static struct region *const r0 = &regions[0];

/* The arrays over the units and their data can be written. */
static inline void are_usable(struct region *r, uint32_t unit, uint32_t n)
{
	uint32_t last = unit + n - 1;

	assert_true(unit + n <= load_relaxed(&r->nr_committed)); // counter
	region_addr(r, unit)[0] = 1;
	region_addr(r, last)[UNIT_SIZE - 1] = 1;
	memset(&r->tags[unit], 0, n * sizeof(struct unit_tag));
	memset(&r->spans[unit], 0, n * sizeof(struct span));
	r->bits[(size_t)(last + 1) * UNIT_BITS_WORDS - 1] = 0;
}

static inline void is_apart(const char *behind, const void *array)
{
	assert_true((const char *)array >= behind);
	assert_true((const char *)array - behind >= (ptrdiff_t)PLACE_GAP);
}

static inline void is_laid_out(const struct region *r)
{
	uint32_t nr = load_relaxed(&r->nr_units); // const

	for (unsigned l = 0; l < NR_LEVELS; l++) {
		char *words = (char *)r->levels[l].words;

		is_apart(r->head + REGION_HEAD_SIZE, words);
		is_apart(words + r->levels[l].nr_words * 8ul, r->tags);
		is_apart(r->head + REGION_HEAD_SIZE,
			 (void *)r->levels[l].free_index);
	}
	is_apart((char *)(r->dirty + r->levels[0].nr_words), r->tags);
	is_apart((char *)(r->tags + nr), r->spans);
	is_apart((char *)(r->spans + nr), (void *)r->bits);
}

#endif
