/* layer 7.3: walk: over the units of all regions; see heap.h */
#ifndef LANE_COMMAND_WALK_H
#define LANE_COMMAND_WALK_H

#include "command/heap.h"
#include "command/process.h"

struct walk {
	struct image *image;
	const struct root *root;
	struct heap *heap;
	heap_visit *visit;
	void *context;
	uint64_t page_size;
	struct places places; /* for the kernel's word on them */
};

/* A region as the reader has it. */
struct area {
	uint64_t base, tags, spans, bits, dirty, guards;
	uint64_t nr_units, nr_committed, nr_used, nr_mapped;
};

/* Reads the region of that number; false: there is none. */
bool walk_area(struct walk *walk, uint64_t i, struct area *a);

/* False: no memory. */
bool walk_heap(struct walk *walk);

/* A little-endian number of so many bytes within a struct of `stride`; 0 where
 * it does not lie in there. */
uint64_t walk_field(const void *base, uint64_t stride, uint64_t at,
		    size_t size);

#endif
