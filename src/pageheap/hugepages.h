/* layer 2.4: hugepages: which of a region's memory the system is asked to serve
 * by hugepages
 *
 * A hugepage costs one fault where small pages cost 512, and the TLB one entry.
 * But it has to be found and cleared as a whole: where the system has none to
 * spare (it compacts memory first, or a virtual machine's host has to) one of
 * them costs more than all the small ones. No number tells which it is, so
 * hugepage=auto measures. Whoever grows a region has the new units for itself:
 * it touches some small pages, asks for hugepages, and touches one. Where that
 * took longer than HUGEPAGE_WORTH small ones, the new units are asked to be
 * small. Each growth measures anew: a heap grows by an eighth at least, so few
 * do, and a machine that was short for a while is not held to be so for ever.
 *
 * What was touched is free memory that counts as clean: a hugepage and a few
 * pages a growth, which the growth is about to use.
 *
 * A time includes whoever ran in between: a hugepage is then held to be dearer
 * than it is, until the next growth. Of the small ones the quickest counts.
 * Wait-free; the times that statistics show are hints. A thread that dies in
 * between leaves units as it found them, or some that are resident.
 */
#ifndef LANE_HUGEPAGES_H
#define LANE_HUGEPAGES_H

#include "pageheap/region.h"

extern struct hugepages {
	_Atomic(uint64_t) advised_size; /* counter: asked for */
	_Atomic(uint64_t) small_ns;	/* hint: a small page's fault */
	_Atomic(uint64_t) huge_ns;	/* hint: a hugepage's */
} hugepages internal;

/* Of units [from, to), mapped just now and the caller's; whole hugepages. */
void hugepages_advise(const struct region *region, uint32_t from, uint32_t to);

#endif
