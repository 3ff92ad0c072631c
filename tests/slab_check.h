/* slab_check: verifies what slab.h's head says of a slab that nobody uses */
#ifndef SLAB_CHECK_H
#define SLAB_CHECK_H

#include "slab/slab.h"
#include "system/fault.h"

#define FOR_EACH_CLASS(size_class)                                          \
	for (unsigned size_class = 1; size_class < NR_FIXED_CLASSES;        \
	     size_class++)

static inline void slab_check(const struct span *slab)
{
	struct region *r = region_of_span(slab);
	uint32_t unit = region_span_unit(r, slab);
	struct slab_word w = slab_word_unpack(load_relaxed(&slab->word)); // own
	const struct size_class *c = &size_classes[w.size_class];
	_Atomic(uint64_t) *bits = r->bits + (size_t)unit * UNIT_BITS_WORDS;
	bool sampled = w.owner == SLAB_SAMPLED; /* no magic, no owner */
	unsigned owner = w.waning ? OWNER_NOBODY : w.owner;
	unsigned i, left = c->nr_objects;

	for (i = 0; i < c->nr_words; i++) {
		check(!(load_relaxed(&bits[i]) & ~bits_low(left))); // own
		left -= left < 64 ? left : 64;
	}
	for (i = 0; i < c->nr_units; i++) {
		check(r->tags[unit + i].size_class == w.size_class);
		check(r->tags[unit + i].magic ==
		      (sampled ? 0 : c->magic | owner));
	}
}

#endif
