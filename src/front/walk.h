/* layer 5.4: walk: what lies in the units of all regions, slab by slab
 *
 * Reads the tags of all committed units while others write. A tag or a word may
 * be from before or after a change, a tag even half of each: each value is
 * checked against what it may be before it is used, and nothing is written. So
 * what is found is a snapshot, exact when nobody allocates. Wait-free: one pass
 * of bounded length.
 */
#ifndef LANE_WALK_H
#define LANE_WALK_H

#include "slab/size_class.h"

/* Slabs of one class by the share of their objects that is not free in the
 * slab: none, up to an eighth, two, ... eight but not all, all. */
#define WALK_SHARES 10

struct walk_class {
	uint64_t nr_slabs;
	uint64_t nr_objects; /* of all slabs */
	uint64_t nr_free;    /* of these, in the slabs */
	uint64_t nr_by_share[WALK_SHARES];
};

struct walk {
	uint64_t nr_slabs;
	uint64_t nr_large;
	uint64_t slab_size;	 /* all objects of all slabs */
	uint64_t slab_free_size; /* of these, free in the slab */
	uint64_t large_size;
	struct walk_class *classes; /* NULL, or NR_CLASSES of them */
};

/* Adds what it finds to what is there. */
void walk_heap(struct walk *walk);

#endif
