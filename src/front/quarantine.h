/* layer 5.2: quarantine: freed blocks wait before their memory serves again
 *
 * A ring of block addresses, for each of a few shards that ids share; a word an
 * entry, 0 where none is. Who frees a block swaps it in at the next place and
 * gets what was put there a whole turn before; while a shard has more than its
 * share of bytes the oldest are swapped out besides. What comes out is the
 * caller's to free.
 *
 *	put	place = head++; entry <-> block
 *	take	place = tail++; entry <-> 0
 *
 * Each swap gives a block to exactly one thread, so none is freed twice here.
 * Head and tail are hints about the order: a place that a taker overtook is
 * found a turn later, by who puts there. Bytes are a count that two threads may
 * exceed for a moment. Wait-free, at most QUARANTINE_OUT swaps a call. A thread
 * that dies with a block swapped out loses it, or its own before the swap.
 *
 * There is none before the first free, or without memory for it; then blocks
 * pass. Racing threads make one each, a CAS decides.
 */
#ifndef LANE_QUARANTINE_H
#define LANE_QUARANTINE_H

#include "slab/page_map.h"

#define QUARANTINE_OUT 3
#define QUARANTINE_SHARDS 4u

struct quarantine_shard {
	_Atomic(uint64_t) head,
		tail;		/* hints: where the next one goes, comes */
	_Atomic(uint64_t) size; /* counter: weights, see quarantine_put() */
	_Atomic(uint64_t) held; /* counter: bytes */
} __attribute__((aligned(CACHE_LINE)));

extern struct quarantine_shard quarantine_shards[QUARANTINE_SHARDS] internal;

/* Puts a block in; up to QUARANTINE_OUT come out, perhaps that one. Returns how
 * many; negative: it is too large, or there is no ring. A run's memory is
 * inaccessible while it waits, all but its last page, where the footer is, so
 * that it weighs a sixteenth. */
int quarantine_put(unsigned id, const struct block *found, void *block,
		   void *out[QUARANTINE_OUT]);

/* Makes one accessible that came out. False: the kernel refuses, and the block
 * is back in the quarantine, or lost where that has no place. */
bool quarantine_unshut(void *pointer, const struct block *block);

/* Says whether it waits there, by a look at all; a hint where others free. */
bool quarantine_has(const void *block);

/* Look at place i; *block: what is there, or NULL. False: there are no more.
 * The first takes it out. */
bool quarantine_take(size_t i, void **block);
bool quarantine_look(size_t i, void **block);

/* Returns the bytes in it. */
size_t quarantine_size(void);

#endif
