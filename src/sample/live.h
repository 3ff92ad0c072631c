/* layer 4.6: live: the sampled blocks that the program holds
 *
 * A key and what belongs to it, in two flat arrays (levels.h). The key is the
 * block's address, 0 where the entry is free.
 *
 *	free --CAS address, by who allocates the block--> taken
 *	taken --CAS 0, by who frees it--> free
 *
 * In between the entry is the block's holder's: nobody else adds or removes the
 * same address, as a block has one holder at a time, and what the program does
 * to hand a block to another thread orders the entry as it does the block. So
 * there is no state of transition and nothing to wait for. Of two frees of one
 * block one finds the entry; that both are a fault others see to. All is
 * wait-free. A thread that dies after the first CAS strands the block that it
 * was about to hand out, with its entry; after the second the block alone.
 *
 * Which levels are looked at says `nr_used`, which is raised before a key is
 * set: who holds the block sees it.
 */
#ifndef LANE_LIVE_H
#define LANE_LIVE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* The fields of the first word, from its lowest bits on. */
#define LIVE_SIZE_BITS 40
#define LIVE_CLASS_BITS 8
#define LIVE_REGION_BITS 6
#define LIVE_WHO_BITS 5

/* By the block's holder; who reads it besides, of a moment, asks for the key
 * before and behind. */
struct live_info {
	uint64_t size : LIVE_SIZE_BITS; /* held: less than 1 TiB */
	/* held: of `life`; 0: there is none */
	uint64_t size_class : LIVE_CLASS_BITS;
	uint64_t region : LIVE_REGION_BITS; /* held: likewise */
	uint64_t id : LIVE_WHO_BITS;	    /* held: whose lane, lowest bits */
	uint64_t thread : LIVE_WHO_BITS;    /* held: likewise */
	uint32_t trace;			    /* held */
	uint32_t since;			    /* held: milliseconds */
	uint64_t life; /* held: of the slab where it would lie (slab.h) */
};

/* Bytes that an entry needs. */
#define LIVE_ENTRY_SIZE (sizeof(uint64_t) + sizeof(struct live_info))

/* Takes zeros of that many bytes at start, as racing threads do alike; returns
 * how many keys stand there, before what belongs to them. */
uint64_t live_start(void *memory, uint64_t size);

/* Adds a block; false: there is no room in its buckets. */
bool live_add(const void *block, const struct live_info *info);

/* Removes a block; false: it is not there. */
bool live_remove(const void *block, struct live_info *info);

/* Reads what the entry *at or a later one has, and sets *at behind it; false:
 * there are no more. As others add and remove, some of it may be of a moment
 * ago. */
bool live_next(uint32_t *at, struct live_info *info);

/* Counts all, as of a moment, where others add and remove. */
uint64_t live_nr(void);

#endif
