/* layer 2.1: region: reserved address space and the page map over it
 *
 * A region is one large reservation, aligned to a hugepage. Its head holds
 * all the metadata of the data behind it, as flat arrays indexed by unit, so
 * that everything is arithmetic on (address - base):
 *
 *	base                      head: REGION_HEAD_SIZE bytes for layer 4
 *	base + REGION_HEAD_SIZE   tags:   16 bytes a unit
 *	...                       level words, fit words, dirty words
 *	...                       spans:  32 bytes a unit
 *	...                       bits:   256 bytes a unit
 *	base + first_unit * UNIT  data
 *
 * Units are counted from the base, so the head's own units have numbers too
 * and are never handed out. Region 0 serves all programs but the largest and
 * those under RLIMIT_AS; the fast paths know it alone.
 *
 * Arrays and data become usable (commit) together, in large steps and from
 * low addresses upwards; the level, fit and dirty words are usable whole from
 * the start. Nothing is ever decommitted: a descriptor that was once readable
 * stays readable and typed for ever, so a reader that slept may use what it
 * read of it.
 *
 * In memory a set bit of a level word means *free*: untouched memory then
 * reads as "claimed, closed", and starting a region touches few words.
 */
#ifndef LANE_REGION_H
#define LANE_REGION_H

#include "base/atomic.h"
#include "base/bits.h"

#define UNIT_SHIFT 15
#define UNIT_SIZE ((size_t)1 << UNIT_SHIFT)
#define HUGEPAGE_SHIFT 21
#define HUGEPAGE_SIZE ((size_t)1 << HUGEPAGE_SHIFT)
#define HUGEPAGE_UNITS 64 /* one word */
#define UNIT_BITS_WORDS 32 /* a 32 KiB unit of 16-byte objects */

/* The head is layer 4's: an area that stays zero, then a table of words. */
#define REGION_ZERO_SIZE ((size_t)64 << 10)
#define REGION_TABLE_WORDS 8192
#define REGION_TABLE_OFFSET REGION_ZERO_SIZE
#define REGION_TAGS_OFFSET (REGION_TABLE_OFFSET + REGION_TABLE_WORDS * 8)
#define REGION_HEAD_SIZE REGION_TAGS_OFFSET

#define REGION_SIZE_MOST ((size_t)1 << 40)
#define REGION_SIZE_USUAL ((size_t)64 << 30) /* at least, without limits */
#define REGION_SIZE_LEAST ((size_t)8 << 20)
#define NR_REGIONS_MOST 64
#define NR_LEVELS 5 /* unit, 2 MiB, 128 MiB, 8 GiB, 512 GiB */

/* What the fast path of free() needs to know of a unit; 16 bytes. All zero
 * where no slab is and no large block begins. Written by the holder of the
 * unit before it hands out an object of it, zeroed before it gives the unit
 * back; read by whoever holds an object of the unit. */
struct unit_tag {
	uint64_t magic; /* held: 2^64/object size + 1; 0: not a slab */
	uint32_t start; /* held: low half of the slab's address */
	uint8_t class;  /* held: size class, or CLASS_LARGE */
	uint8_t lane;   /* held: the class's lane, in words */
	uint8_t away;   /* held: the lane for objects freed on another id */
	uint8_t owner;  /* hint: low byte of the slab's owner id */
};

#define CLASS_NONE 0
#define CLASS_LARGE 255

/* Links a span into one lock-free list; typed for ever. */
struct span_link {
	void *next;
};

/* The descriptor of a run of units, kept at its first unit; 32 bytes. */
struct span {
	_Atomic(uint64_t) word;	  /* atomic: a slab's state word (layer 3) */
	struct span_link link;	  /* held: by the list that holds the span */
	_Atomic(uint32_t) nr_units; /* held: length of a large run */
	_Atomic(uint32_t) depth;  /* held: length of the chain below it */
	_Atomic(uint32_t) used_at; /* held: age of the last take (layer 3) */
	_Atomic(uint32_t) unused;
};

struct level {
	_Atomic(uint64_t) *words; /* const; bit set = free granule */
	_Atomic(uint64_t) *fit;	  /* const; 8 words a parent word, see fit.h */
	_Atomic(uint64_t) *fit_summary; /* const; 8 arrays, then their end */
	uint32_t nr_words;	  /* const */
	uint32_t nr_summary;	  /* const; words of one summary array */
	uint32_t first_summary;	  /* const; those below it stay zero */
};

struct region {
	_Atomic(uint32_t) state;     /* atomic: enum region_state */
	_Atomic(uint32_t) nr_units;  /* const: reserved, head included; 0
				      * until the rest is readable */
	uint32_t first_unit;	     /* const: of the data */
	_Atomic(uint32_t) nr_committed; /* atomic: units below are usable */
	_Atomic(uint32_t) nr_used;   /* atomic: units above were never taken */
	char *base;		     /* const; NULL until started */
	struct unit_tag *tags;	     /* const */
	struct span *spans;	     /* const */
	_Atomic(uint64_t) *bits;     /* const: UNIT_BITS_WORDS a unit */
	_Atomic(uint64_t) *dirty;    /* const: a word a hugepage; bit set =
				      * the unit may be resident */
	struct level levels[NR_LEVELS];
};

enum region_state { REGION_NONE, REGION_CLAIMED, REGION_READY };

/* The table never shrinks; entries beyond the first are rare. */
extern struct region regions[NR_REGIONS_MOST] internal;

/* Whether a slot's const fields can be read. */
static force_inline bool region_is_ready(struct region *region)
{
	// [region.state] with region_publish(): all const fields
	return load_acquire(&region->state) == REGION_READY;
}

/* Makes region 0, once; later calls return at once. Threads may race: each
 * loser gives its reservation back. False: no memory. Lock-free. */
bool region_start(void);

/* Adds a region that can hold at least nr_units of data in one run. NULL: no
 * address space, or the table is full. Lock-free. */
struct region *region_add(size_t nr_units);

/* Makes units below `end` usable, arrays first. False: no memory. */
bool region_commit(struct region *region, uint32_t end);

/* Called after units below nr_units became usable, by whoever moved the
 * bound; calls may come out of order. Defined by layer 4, which opens its
 * tables to them. */
void region_committed(struct region *region, uint32_t nr_units);

/* The region that holds addr (data or metadata), NULL for foreign memory.
 * Wait-free. */
struct region *region_of_slow(const void *addr);

static force_inline struct region *region_of(const void *addr)
{
	struct region *first = &regions[0];
	// [region.nr_units] with region_publish(): base is readable
	uint32_t nr_units = load_acquire(&first->nr_units);
	size_t offset = (size_t)addr - (size_t)first->base;

	if (likely(offset >> UNIT_SHIFT < nr_units))
		return first;
	return region_of_slow(addr);
}

static force_inline uint32_t region_unit(const struct region *region,
					  const void *addr)
{
	return (uint32_t)((size_t)((const char *)addr - region->base) >>
			  UNIT_SHIFT);
}

static force_inline char *region_addr(const struct region *region,
				       uint32_t unit)
{
	return region->base + ((size_t)unit << UNIT_SHIFT);
}

static force_inline uint32_t region_span_unit(const struct region *region,
					       const struct span *span)
{
	return (uint32_t)(span - region->spans);
}

#endif
