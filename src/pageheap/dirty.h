/* layer 2.7: dirty: which units may be resident, and the purge of those free
 *
 * Bit u of a hugepage's dirty word: unit u may have memory behind it, if it
 * is free. Set by the thread that gives u, before it releases it; cleared by
 * whoever holds u and purged it. A clear bit of a unit that one has just
 * claimed therefore means zeroed memory. The bits outlive a release and a
 * claim; of held units they say nothing. A unit above region.nr_used was never
 * taken: its bit is clear, and nobody reads it.
 *
 * A word is written by one atomic addition of bits or removal where its holder
 * has a part of the hugepage, and by a plain store where it has all of it.
 *
 * The line word free_index[FREE_INDEX_DIRTY] of level 0 is the hint that
 * hugepage i has units that are free and dirty. The purge clears the hint,
 * looks, and sets it again if something is left:
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
 * carve or a coalesce, which hold granules for a while (level.c). A purger may
 * clear several hints of one line by one step: it looks at the words of each
 * of them afterwards, so the pair holds for each.
 *
 * Purge: claim what is free and dirty, give it back to the system, clear the
 * dirty bits, release. Hugepages that are free as a whole and lie side by
 * side go together, up to a word of level 1: one CAS of that word (or the
 * granule's own bit where that is free as a whole), one call, one release. Of
 * an open hugepage all that is free and dirty is claimed by one CAS. Free
 * units beside a dirty one go along: where the kernel makes hugepages, a touch
 * of one unit makes its neighbours resident, too.
 *
 * A purger that dies strands the units in its hands: a part of a hugepage, or
 * hugepages of one granule of level 2, 128 MiB; resident, if it had not made
 * its call. Between the claim and the release it may have cleared the bits of
 * none, some or all of them: they are nobody's any more.
 *
 * Where the system refuses a range (a page in it is locked), its halves are
 * tried, down to a hugepage; of an open hugepage the other runs. What refuses
 * keeps its bits and its hint and is released all the same. The system may
 * have taken a part of it: a dirty bit too many costs a call.
 * Lock-free; several purgers may run at once.
 */
#ifndef LANE_DIRTY_H
#define LANE_DIRTY_H

#include "pageheap/region.h"

/* Says how many of these units, which were claimed just now, are dirty. */
uint32_t dirty_count(struct region *region, uint32_t unit, uint32_t n);

/* Marks held units dirty, before they are released. */
void dirty_mark(struct region *region, uint32_t unit, uint32_t n);

/* Gives n held units back by one call. False: the system refused; they are as
 * dirty as they were. */
bool dirty_try_drop_held(struct region *region, uint32_t unit, uint32_t n);

struct dirty_purged {
	uint32_t nr_units; /* given back and dirty before */
	uint32_t nr_kept;  /* dirty, and refused */
	uint32_t nr_calls;
	uint32_t nr_refused; /* of those calls */
	uint32_t hugepage;   /* the lowest that was visited */
};

/* Purges a hugepage and those below it that go by the same call, until `want`
 * units are given back; at most `most` units, the highest ones; more where
 * others have made some of their clean neighbours dirty meanwhile. */
struct dirty_purged dirty_purge(struct region *region, uint32_t hugepage,
				size_t want, size_t most);

#endif
