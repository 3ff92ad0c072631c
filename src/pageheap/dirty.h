/* layer 2.7: dirty: which units may be resident, and the purge of those free
 *
 * Bit u of a hugepage's dirty word: unit u may have memory behind it. Set by
 * the thread that claimed u, before it uses it; cleared by a purger that
 * holds u. A clear bit of a unit that one holds therefore means zeroed
 * memory. The bits outlive a release.
 *
 * The line word fit[FIT_DIRTY] of level 0 is the hint that hugepage i has
 * units that are free and dirty. The purge clears the hint, looks, and sets
 * it again if something is left:
 *
 *	giver:  releases the units      (or_seq)   then reads the hint (seq)
 *	purger: clears the hint         (and_seq)  then reads the word (seq)
 *
 * One of the two sees the other, so no release stays unknown. In litmus form,
 * x a bit of the level word and y the hint, at first 0 and 1:
 *
 *	giver		purger
 *	x = 1		y = 0
 *	r1 = y		r2 = x		r1 = 1 and r2 = 0 is forbidden
 *
 * Every release counts, also of what was claimed and not used, and so does a
 * carve or a coalesce, which hold granules for a while (level.c). A purger
 * that dies strands the units in its hands, at most a hugepage.
 *
 * Purge: claim everything free and dirty of a hugepage by one CAS (or the
 * hugepage's own bit), give it back to the system, clear the dirty bits,
 * release. Free units beside a dirty one go along: where the kernel makes
 * hugepages, a touch of one unit makes its neighbours resident, too. Where the
 * system refuses, the bits stay and the units are released all the same.
 * Lock-free; several purgers may run at once.
 */
#ifndef LANE_DIRTY_H
#define LANE_DIRTY_H

#include "pageheap/region.h"

/* Marks held units dirty; returns how many were dirty already. */
uint32_t dirty_mark(struct region *region, uint32_t unit, uint32_t n);

struct dirty_purged {
	uint32_t nr_units; /* given back and dirty before */
	uint32_t nr_calls;
	bool refused;
};

/* Purges one hugepage, at most `most` units of it, the highest ones; more
 * where others have made some of their clean neighbours dirty meanwhile. */
struct dirty_purged dirty_purge_hugepage(struct region *region,
					 uint32_t hugepage, size_t most);

#endif
