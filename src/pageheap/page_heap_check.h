/* layer 2.9: page heap check: an exact count of what is free
 *
 * Walks all regions; exact only while no other thread is inside.
 */
#ifndef LANE_PAGE_HEAP_CHECK_H
#define LANE_PAGE_HEAP_CHECK_H

#include "pageheap/page_heap.h"

struct page_heap_count {
	uint64_t nr_free;     /* units, committed or not */
	uint64_t nr_data;     /* units behind the heads */
	uint64_t nr_dirty;    /* free and dirty units */
	uint64_t nr_unfiled;  /* words that a search of their class misses */
	uint64_t nr_stale;    /* words that are filed where they do not fit */
	uint64_t nr_unhinted; /* hugepages: free dirty units without a hint */
};

void page_heap_count(struct page_heap_count *out);

#endif
