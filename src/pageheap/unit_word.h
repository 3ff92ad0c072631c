/* layer 2.2: unit word: pure functions on a word of 64 granules
 *
 * A word holds one bit a granule (a unit at level 0). Nothing here reads
 * shared memory: level.c, dirty.c and free_index.c work on plain copies and
 * commit by CAS, so all of it is tested without threads, by enumeration.
 */
#ifndef LANE_UNIT_WORD_H
#define LANE_UNIT_WORD_H

#include "base/bits.h"

#define UNIT_WORD_NONE WORD_BITS /* no such position */
#define UNIT_WORD_CLASSES 7	 /* 2^0 .. 2^6; also "no class": word 0 */

/* Bit i set: the n granules from i on are all set; 1 <= n <= 64. */
static force_inline uint64_t unit_word_starts(uint64_t word, unsigned n)
{
	unsigned have = 1, step;

	while (have < n) {
		step = have < n - have ? have : n - have;
		word &= word >> step;
		have += step;
	}
	return word;
}

/* The multiples of align, a power of two of at most 64. */
static force_inline uint64_t unit_word_multiples(unsigned align)
{
	return likely(align == 1) ? ALL_ONES : ALL_ONES / bits_low(align);
}

/* The lowest run of n set bits that starts at a multiple of align. */
static force_inline unsigned unit_word_find(uint64_t word, unsigned n,
					    unsigned align)
{
	uint64_t starts = unit_word_starts(word, n);

	starts &= unit_word_multiples(align);
	return starts ? bits_first(starts) : UNIT_WORD_NONE;
}

/* Where to take n of the free granules: the lowest run that is dirty as
 * a whole (its memory is resident), else the lowest run. */
static force_inline unsigned unit_word_pick(uint64_t free, uint64_t dirty,
					    unsigned n, unsigned align)
{
	unsigned first = unit_word_find(free & dirty, n, align);

	return first != UNIT_WORD_NONE ? first : unit_word_find(free, n, align);
}

/* k where the largest run of set bits is in [2^k, 2^(k+1)); for the word 0,
 * UNIT_WORD_CLASSES. */
static force_inline unsigned unit_word_class(uint64_t word)
{
	unsigned k;

	if (!word)
		return UNIT_WORD_CLASSES;
	for (k = 0; k < UNIT_WORD_CLASSES - 1; k++) {
		word &= word >> (1u << k);
		if (!word)
			return k;
	}
	return k;
}

/* Whether two words are of one class; both at once, in half the time. */
static force_inline bool unit_word_same_class(uint64_t a, uint64_t b)
{
	unsigned k;

	for (k = 0; a && b && k < UNIT_WORD_CLASSES - 1; k++) {
		a &= a >> (1u << k);
		b &= b >> (1u << k);
	}
	return !a == !b;
}

/* The class that can hold a run of n, if it is lucky: floor(log2 n). */
static force_inline unsigned unit_word_class_of_run(unsigned n)
{
	return bits_last(n);
}

/* The units that a purge may take: free, in whole pages of page_units (1 or
 * 2) units, each page with something dirty in it. */
static force_inline uint64_t unit_word_purgeable(uint64_t free, uint64_t dirty,
						 unsigned page_units)
{
	uint64_t pages;

	if (page_units == 1)
		return free & dirty;
	pages = free & (free >> 1) & (dirty | dirty >> 1);
	pages &= unit_word_multiples(2);
	return pages | pages << 1;
}

/* The highest n set bits of the word, all if it has no more. */
static force_inline uint64_t unit_word_highest(uint64_t word, size_t n)
{
	unsigned count;

	for (count = bits_count(word); count > n; count--)
		word &= word - 1;
	return word;
}

/* Length of the run of set bits that begins at `first`, which is set. */
static force_inline unsigned unit_word_run(uint64_t word, unsigned first)
{
	uint64_t rest = ~(word >> first);

	return rest ? bits_first(rest) : WORD_BITS;
}

/* Those runs of the two together that have something of `word` in them. */
static force_inline uint64_t unit_word_widen(uint64_t word, uint64_t open)
{
	uint64_t both = word | open, pass = both, wide;
	unsigned n;

	/* Up: a carry goes through the rest of the run. */
	wide = ((both ^ (both + word)) | word) & both;
	/* Down: 1, 2, 4 and so on at a time, as far as the run reaches. */
	for (n = 1; n < WORD_BITS; n *= 2) {
		wide |= wide >> n & pass;
		pass &= pass >> n;
	}
	return wide;
}

#endif
