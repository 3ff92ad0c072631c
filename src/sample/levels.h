/* layer 4.5: levels: hash tables that grow by levels and never move
 *
 * A table is a flat array of entries, mapped whole and touched where it is
 * used: level 0 has LEVEL_LEAST of them, each further one twice as many as the
 * one before. A key has one bucket of BUCKET_ENTRIES on each level; who looks
 * for it goes through its buckets from level 0 up. So a table of few keys has
 * few pages, an entry never moves, and every operation is bounded by the number
 * of levels: wait-free. Pure arithmetic.
 */
#ifndef LANE_LEVELS_H
#define LANE_LEVELS_H

#include "base/compiler.h"

#define LEVEL_LEAST 512u
#define BUCKET_ENTRIES 8u
#define LEVELS_MOST 16u

/* Entries of the first n levels. */
static force_inline uint32_t levels_entries(unsigned n)
{
	return LEVEL_LEAST * ((1u << n) - 1);
}

/* Returns the most levels that have no more entries than that. */
static inline unsigned levels_within(uint64_t entries)
{
	unsigned n = 0;

	while (n < LEVELS_MOST && levels_entries(n + 1) <= entries)
		n++;
	return n;
}

/* Returns the first entry of a key's bucket. */
static force_inline uint32_t level_bucket(uint64_t hash, unsigned level)
{
	uint32_t buckets = (LEVEL_LEAST / BUCKET_ENTRIES) << level;
	uint64_t turned = hash << (4 * level) | hash >> 1 >> (63 - 4 * level);

	return levels_entries(level) +
	       BUCKET_ENTRIES * (uint32_t)(turned & (buckets - 1));
}

#endif
