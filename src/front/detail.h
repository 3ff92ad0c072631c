/* layer 5.11: detail: statistics of each class and of each CPU
 *
 * Classes are counted by a walk (walk.h) and by the lanes' counts, in memory
 * from the kernel that is given back at once; see stats.c for what the sums are
 * worth. A thread that dies here strands it, some 8 KiB. Wait-free, but for the
 * kernel's part; nothing is allocated.
 */
#ifndef LANE_DETAIL_H
#define LANE_DETAIL_H

#include "lanemalloc.h"
#include "slab/size_class.h"

/* What is counted in. */
struct detail {
	struct walk_class *walked; /* NR_CLASSES of them */
	uint64_t *nr_cached;	   /* NR_CLASSES of them */
};

/* Counts the classes. False: no memory. */
bool detail_open(struct detail *detail);
void detail_close(struct detail *detail);

/* Tells of the i-th class of NR_DETAIL_CLASSES, between the two. */
#define NR_DETAIL_CLASSES (NR_CLASSES - 1)
void detail_class(const struct detail *detail, unsigned i,
		  struct lanemalloc_class_stats *out);

/* Tells of the first id at *id or behind it that served, and sets *id behind
 * it; false: there is none. */
bool detail_cpu(unsigned *id, struct lanemalloc_cpu_stats *out);

#endif
