/* layer 5.2: quarantine: freed blocks wait before their memory serves again
 *
 * A ring of words, for each of a few shards that ids share; a word is a block's
 * address and a stamp, 0 where none is. A shard counts in one word the places
 * that were taken and the weight that was put in since the start; the stamp is
 * that weight, as it was then, in steps of a part of a shard's share. Who frees
 * a block counts it, swaps it in at the place that the count gave it, and gets
 * what was put there a whole turn before; besides, the oldest are swapped out
 * as long as more than the share was put in behind them, a few for each block
 * and more for a heavy one, so that heavy blocks that follow a ring of light
 * ones do not pile up.
 *
 *	put	(place, weight) += (1, its weight); ring[place] <-> block, stamp
 *	take	ring[tail].stamp is a share behind: tail++; ring[tail] <-> 0
 *
 * So nobody counts what is in it, and no count drifts: a thread that dies with
 * its block counted and not swapped in leaves an empty place, which the tail
 * passes; one that dies with a block swapped out loses that. Only `held`, which
 * statistics and who empties it read, stays wrong then by what the thread had
 * in hands.
 *
 * Each swap gives a block to exactly one thread, so none is freed twice here.
 * The tail is a hint about the order: a place that a taker overtook is found a
 * turn later, by who puts there. Stamps wrap: a block that lay there for 16
 * shares may stay for one more. Wait-free, at most QUARANTINE_OUT swaps a call,
 * and one for each QUARANTINE_HEAVY bytes of a block's weight.
 *
 * Small objects wait in rings of their CPU's as long as there are some
 * (ring.h); who asks what waits, gets both.
 *
 * There is none before the first free, or without memory for it; then blocks
 * pass. Racing threads make one each, a CAS decides.
 */
#ifndef LANE_QUARANTINE_H
#define LANE_QUARANTINE_H

#include "slab/page_map.h"

#define QUARANTINE_OUT 3
#define QUARANTINE_HEAVY 256
#define QUARANTINE_SHARDS 4u

struct quarantine_shard {
	_Atomic(uint64_t) put;	/* counter: places and weight, see above */
	_Atomic(uint64_t) tail; /* hint: the place that comes out next */
	_Atomic(uint64_t) held; /* counter: bytes */
} __attribute__((aligned(CACHE_LINE)));

extern struct quarantine_shard quarantine_shards[QUARANTINE_SHARDS] internal;

/* What came out, and what the page map says of it. */
struct quarantined {
	void *pointer;
	struct block block;
};

/* A block goes in; up to QUARANTINE_OUT come out, perhaps the same. Returns how
 * many; negative: it is too large, or there is no ring. A run's memory is
 * inaccessible while it waits, all but its last page, where the footer is, so
 * that it weighs a sixteenth. */
int quarantine_put(unsigned id, const struct block *found, void *block,
		   struct quarantined out[QUARANTINE_OUT]);

/* By who put a block in, turn by turn from 0 on until it returns false: takes
 * out the oldest, where more than the share was put in behind it. The pointer
 * is NULL where the place was empty. No turns for a block that is light. */
bool quarantine_drive(unsigned id, const struct block *found, size_t turn,
		      struct quarantined *out);

/* By who gets one out. False: the kernel refuses, and the block is back in the
 * quarantine, or lost where that has no place. */
bool quarantine_unshut(const struct quarantined *out);

/* Says whether it waits, there or in a ring, by a look at all; a hint where
 * others free. */
bool quarantine_has(const void *block);

/* Place i: what is there; its pointer is NULL where nothing is. False: there
 * are no more. The first takes it out. */
bool quarantine_take(size_t i, struct quarantined *out);
bool quarantine_look(size_t i, void **block);

/* Whether anything may wait, without a look at the rings. */
bool quarantine_may_hold(void);

/* Return the bytes in it, without and with those in the rings, of which each
 * place is looked at. */
size_t quarantine_shared_size(void);
size_t quarantine_size(void);

#endif
