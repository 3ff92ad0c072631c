/* layer 4.5: levels: hash tables that grow by levels and never move
 *
 * A table is a flat array of entries, mapped whole and touched where it is
 * used: level 0 has 512 of them, level 1 has 768, each further one twice as
 * many as the last but one. A key has one bucket of BUCKET_ENTRIES on each
 * level, whose places tell nothing of each other; who looks for it goes through
 * its buckets from level 0 up. So a table of few keys has few pages, one of
 * many is at least two thirds full, an entry never moves, and every operation
 * is bounded by the number of levels: wait-free. Pure arithmetic.
 */
#ifndef LANE_LEVELS_H
#define LANE_LEVELS_H

#include "base/compiler.h"

#define LEVEL_EVEN 512u /* entries of level 0 */
#define LEVEL_ODD 768u	/* of level 1 */
#define BUCKET_ENTRIES 8u
#define LEVELS_MOST 30u

/* Entries of the first n levels. */
static force_inline uint32_t levels_entries(unsigned n)
{
	uint32_t pairs = (LEVEL_EVEN + LEVEL_ODD) * ((1u << n / 2) - 1);

	return pairs + (n % 2 ? LEVEL_EVEN << n / 2 : 0);
}

static force_inline uint32_t level_buckets(unsigned level)
{
	uint32_t first = level % 2 ? LEVEL_ODD : LEVEL_EVEN;

	return (first / BUCKET_ENTRIES) << level / 2;
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
	uint64_t own = hash + level * UINT64_C(0xbf58476d1ce4e5b9);

	/* A product alone would move all keys alike from level to level: those
	 * that share a bucket would share the next one, too. */
	own = (own ^ own >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	return levels_entries(level) +
	       BUCKET_ENTRIES * (uint32_t)(own * level_buckets(level) >> 32);
}

#endif
