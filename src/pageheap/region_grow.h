/* layer 2.5: region_grow: more of a region becomes usable
 *
 * A grower claims units by one CAS of nr_taken, maps them, makes the arrays
 * over them usable and holds them: it alone, so nobody waits for it. What it
 * has no use for it releases into the level words, which therefore name only
 * units that are mapped. The bounds are in region.h.
 *
 *	claim	CAS nr_taken from u to u + n
 *	data	map [u, u + n). Refused: the claim goes back (CAS nr_taken from
 *		u + n to u) or, where others claimed behind it, to `spare`, for
 *		a later grower. Taken: somebody of the process has mapped
 *		memory there; these units stay claimed for ever, and the next
 *		ones are tried
 *	arrays	while nr_committed < u + n: map the next quantum of each array
 *		(mapped already: another grower did), raise nr_committed.
 *		Refused: the data are unmapped, and the claim goes back
 *
 * Two growers at once each get units of their own; while one is at work the
 * others take steps as small as can be. A grower that dies strands the units
 * that it claimed, untouched, and what it mapped of the arrays serves others.
 *
 * The bad interleavings:
 *
 *	A claims [u, v), B claims [v, w) and is faster: B needs the arrays over
 *	its own units, and nr_committed says "all below". So B maps the quanta
 *	below, too; A finds them mapped, which is as good as having done it.
 *	Who maps at a quantum's addresses is this library, as nobody else knows
 *	them (place.h).
 *
 *	A's mapping of data is refused, B has claimed behind: nr_taken cannot
 *	go back, and [u, v) goes to `spare`. A spare that finds no slot costs
 *	addresses, and no memory.
 *
 *	A finds foreign memory in [u, v): that stays A's for ever. A tries the
 *	next units, GROW_TRIES times.
 *
 *	A dies while it is counted as a grower: B takes a small step, and
 *	stores 0. So whoever is done forgets all the others, too: what comes
 *	then finds what that one has grown, or takes a large step of its own.
 *
 * region_grow() and region_grow_at() are lock-free.
 */
#ifndef LANE_REGION_GROW_H
#define LANE_REGION_GROW_H

#include "pageheap/region.h"

/* Finds usable units that nobody had yet, at least `need` and all the caller's,
 * the first one at a hugepage. False: no memory, or no addresses in this
 * region. Lock-free. */
bool region_grow(struct region *region, uint32_t need, uint32_t *unit,
		 uint32_t *n);

/* Grows as region_grow() does, by exactly the units [unit, unit + need) and
 * perhaps more behind; false also where somebody has taken them. */
bool region_grow_at(struct region *region, uint32_t unit, uint32_t need,
		    uint32_t *n);

/* Whether the kernel refused the last growth: memory in somebody's hands is
 * memory that others lack. A hint. */
bool region_growth_is_refused(void);

/* Raises nr_committed: the arrays below `to` are usable. Wait-free for one that
 * nobody else raises, else lock-free. */
void region_raise(_Atomic(uint32_t) *bound, uint32_t to);

#endif
