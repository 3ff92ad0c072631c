/* layer 3.3: bin: the slabs of one (id, class) that have free objects
 *
 *	slot	one slab, the next to take from; a word swapped in and out
 *	partial	two sides; new slabs go to the one that `fill` names, a
 *		collection empties the other. Each has a stack (slab_stack.h)
 *		of slabs that wane and one of all others
 *	inbox	a stack that other ids push to, and that is taken whole
 *
 * A slab in any of the three is listed; whoever gets it out holds it.
 *
 * Taking: the slot's slab; else one of partial that does not wane, first of
 * partial[!fill]; else the inbox; else a waning one of partial; else a slab of
 * another id's bin of the class; else a new one; where no memory is for that,
 * any slab of any id, also its slot's. After the take the slab goes back to the
 * slot if that is empty, else to partial. With hardened=1 the slot's slab and
 * the next ones of partial change places at random before each take.
 *
 * Where objects come back to an id and none of the class is taken, batch after
 * batch, the class gets smaller: what the lanes hand out again then lies all
 * over its slabs, and a few objects of what comes next hold each of them. So
 * with each batch beyond WANE_BATCHES up to WANE_LOOKS of the id's slabs in
 * partial wane (slab.h): they are taken out, marked and put back to the same
 * side, one by one. Each slab wanes once until it is taken from again, so a
 * class that only shrinks soon pays for the looks at two empty stacks. A thread
 * that dies there strands the slab in its hand. A take after that regrets it:
 * the class comes and goes in phases, so twice as much has to be given the next
 * time before anything wanes. A collection halves the regret.
 *
 * The inbox is taken whole. The taker keeps the first slab and pushes the
 * rest to partial before it works on the first; between pop_all and the last
 * push the chain hangs on this thread alone, so its length is bounded: a
 * pusher that finds INBOX_DEPTH_MOST slabs there pushes to partial instead.
 * (One that slept between its look and its push starts the count anew, so
 * each such sleeper may add as many again.)
 *
 * Empty slabs inside a list: the give that empties one counts it
 * (nr_empty), and when they are many in relation to the list's length a
 * collection pops the one stack, closes what is empty and pushes the rest to
 * the other. Counts here are hints; a wrong one costs a collection or delays
 * one.
 *
 * Pages inside slabs (slab_purge.h) go back by collections of ticks and purges,
 * and by looks: GROWTH_LOOKS by whoever makes a slab that resident memory grows
 * by, SHRINK_LOOKS by whoever makes SHRINK_SIZE more free in slabs than before,
 * in the bins of its own set in turn. A look pops a slab of partial[fill],
 * where newly listed ones are, purges it if it is quiet (quiet.h) and pushes it
 * to the other stack. Growth leaves one that is not quiet, and goes on with the
 * next bin; who shrinks passes it on, and begins anew where all of a bin had a
 * look, as growth does where an eighth of what the bin's slabs hold came back
 * since, and none was taken: a heap whose sizes change grows while what it
 * leaves behind gets emptier. bin.fresh, a hint, says where there may be
 * something. A thread that dies in a look strands the one slab that it holds.
 *
 * Progress: every operation is lock-free; a collection is bounded by its
 * argument. A thread that dies strands the slab it holds, or the chain that it
 * took from the inbox.
 */
#ifndef LANE_BIN_H
#define LANE_BIN_H

#include "slab/quiet.h"
#include "slab/slab.h"

#define INBOX_DEPTH_MOST 32
#define NR_IDS_MOST REGION_TABLE_WORDS

/* Takes up to `most` objects of the class for id; 0 only without memory. */
unsigned bin_take(unsigned id, unsigned size_class, void **out, unsigned most);

/* Takes one object of a slab that the profile's objects share; NULL: no memory.
 * Such slabs are in no id's bins, so nobody else takes of them. */
void *bin_take_sampled(unsigned size_class);

/* Gives n objects (of any slabs and classes) back; id is the giver's. None is
 * nothing to do, and makes no bins. */
void bin_give(unsigned id, void *const *objects, unsigned n);

struct bin_stats {
	uint64_t nr_remote_frees, nr_remote_slabs, nr_steals;
	uint64_t purged_size; /* of free objects in slabs */
	uint64_t sets_size;   /* memory of the bins themselves */
};
void bin_stats(struct bin_stats *out);

#endif
