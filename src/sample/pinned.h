/* layer 4.9: pinned: what the program's blocks keep from going back, by stack
 *
 * A slab goes back when all its objects are free: one block that lives on keeps
 * all of it. Sampled blocks lie in slabs of their own, so each remembers where
 * it would lie: the slab of the object that a lane gave in its place, which
 * went back to the lane and serves the next who asks. A sampled block pins that
 * slab's bytes if nothing else does: its objects are all free in the slab, or
 * the slab is gone. (Objects in CPU caches pin it, too, and count as used.)
 * What the kernel has got back of a quiet slab's pages is still the slab's, as
 * addresses; the resident part of it may be a page.
 *
 * An estimate as all of a profile: it stands for 1/p blocks each (chance.h). In
 * a profile of every block (interval 1) no other block is where they would be.
 *
 * Reads while others allocate and free: an entry or a slab may be of a moment
 * ago, each value is checked before it is used, and nothing is written but the
 * caller's sums. Wait-free: bounded by the table of live blocks. A thread that
 * dies leaves nothing.
 */
#ifndef LANE_PINNED_H
#define LANE_PINNED_H

#include "sample/trace.h"

/* Sums by stack: pinned_of() of a trace. Zeros before. */
struct pinned {
	uint64_t *sums;
	uint64_t nr;
};

/* Returns how many sums are needed. */
uint64_t pinned_nr(void);

/* Adds up what each stack pins. */
void pinned_gather(struct pinned *pinned);

uint64_t pinned_of(const struct pinned *pinned, const struct trace *trace);

#endif
