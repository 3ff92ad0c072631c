/* layer 2.1: region: a range of addresses for blocks, and the page map over it
 *
 * A region is a range of addresses (place.h) that is mapped from its beginning
 * on, piece by piece, as the heap grows. Its metadata are flat arrays indexed
 * by unit, so that everything is arithmetic on (address - base). They lie in a
 * place of their own, which no block's address tells, with gaps that are never
 * mapped between them:
 *
 *	data:	base, nr_units units
 *
 *	meta:	a head that layer 4 uses (region 0 alone): REGION_HEAD_SIZE
 *		level words, free index words, dirty words, guard words
 *		tags:   16 bytes a unit
 *		spans:  32 bytes a unit
 *		bits:   256 bytes a unit
 *
 * Region 0 serves all programs but the largest; the fast paths know it alone.
 * Regions come into being in regions.c and grow in region_grow.c, which move
 * the bounds, all in units:
 *
 *	nr_used <= nr_taken <= nr_units		of the data
 *	nr_committed				of tags, spans and bits, in
 *						quanta of REGION_QUANTUM
 *
 * Nothing is ever unmapped: a descriptor that was once readable stays readable
 * and typed for ever, so a reader that slept may use what it read of it. Tags
 * of units that were never mapped read as zero.
 *
 * In memory a set bit of a level word means *free*: untouched memory then
 * reads as "claimed, closed".
 */
#ifndef LANE_REGION_H
#define LANE_REGION_H

#include "base/atomic.h"
#include "base/bits.h"

#define UNIT_SHIFT 15
#define UNIT_SIZE ((size_t)1 << UNIT_SHIFT)
#define HUGEPAGE_SHIFT 21
#define HUGEPAGE_SIZE ((size_t)1 << HUGEPAGE_SHIFT)
#define HUGEPAGE_UNITS WORD_BITS /* one word */
#define UNIT_BITS_WORDS 32	 /* a 32 KiB unit of 16-byte objects */

/* The head is layer 4's: an area that stays zero, then a table of words. */
#define REGION_ZERO_SIZE ((size_t)64 << 10)
#define REGION_TABLE_WORDS 8192
#define REGION_TABLE_OFFSET REGION_ZERO_SIZE
#define REGION_HEAD_SIZE (REGION_TABLE_OFFSET + REGION_TABLE_WORDS * 8)

#define REGION_SIZE_MOST ((size_t)1 << 40)
#define REGION_SIZE_USUAL ((size_t)64 << 30) /* at least, of addresses */
#define NR_REGIONS_MOST 64
#define NR_LEVELS 5 /* unit, 2 MiB, 128 MiB, 8 GiB, 512 GiB */

/* Units whose tags fill a page of 64 KiB. */
#define REGION_QUANTUM ((uint32_t)4096)

/* What the fast path of free() needs to know of a unit; 16 bytes. All zero
 * where no slab is and no large block begins. Written by the holder of the
 * unit before it hands out an object of it, zeroed before it gives the unit
 * back; read by whoever holds an object of the unit.
 *
 * The owner lies in the low end of the magic number, where it changes nothing
 * that is asked of that. For an object of d bytes the magic number m is a
 * little more than 2^64/d, by less than 2^17 with the owner in it, and at least
 * 2^46; offset * m < m tells the multiples of d, as what an offset below 2^19
 * makes of that little is below 2^36: a multiple's product stays below m, any
 * other offset's lies between m and 2^64. */
struct unit_tag {
	union {
		uint64_t magic; /* held: of the size, and the owner; 0: not a
				 * slab, or one of sampled objects */
		uint16_t owner; /* hint: the slab's owner id */
	};
	uint32_t start; /* held: low half of the slab's address */
	union {
		uint16_t lane; /* held: the class's lane, in words */
		struct {
			uint16_t lane_word : 2;	  /* 0 */
			uint16_t size_class : 14; /* held: or CLASS_LARGE */
		};
	};
	uint16_t remote; /* hint: the lane for objects freed on another id */
};
_Static_assert(sizeof(struct unit_tag) == 16, "the fast paths' arithmetic");

#define TAG_OWNER_MASK ((uint64_t)0xffff)

#define CLASS_NONE 0

/* Links a span into one lock-free list; typed for ever. */
struct span_link {
	void *next;
};

/* The descriptor of a run of units, kept at its first unit; 32 bytes. */
struct span {
	_Atomic(uint64_t) word;	    /* atomic: a slab's state word (layer 3) */
	struct span_link link;	    /* held: by the list that holds the span */
	_Atomic(uint32_t) nr_units; /* held: length of a large run */
	_Atomic(uint16_t) depth;    /* held: length of the chain below it */
	_Atomic(uint16_t) used_at;  /* held: age of the last use (layer 3) */
	_Atomic(uint64_t) clean;    /* held: pages that a slab gave back */
};

struct level {
	_Atomic(uint64_t) *words;      /* const; bit set = free granule */
	_Atomic(uint64_t) *free_index; /* const; free_index.h */
	_Atomic(uint64_t) *free_index_summary; /* const; free_index.h */
	uint32_t nr_words;		       /* const */
	uint32_t nr_summary; /* const; words of one summary array */
};

#define NR_SPARES 4

struct region {
	_Atomic(uint32_t) state;	/* atomic: enum region_state */
	_Atomic(uint32_t) nr_units;	/* const: addresses; 0 until the rest is
				      * readable */
	_Atomic(uint32_t) nr_committed; /* atomic: units below have arrays */
	_Atomic(uint32_t) nr_used;    /* atomic: units above were never taken */
	_Atomic(uint32_t) nr_taken;   /* atomic: units below went to growers */
	_Atomic(uint32_t) nr_mapped;  /* counter: of them usable */
	_Atomic(uint32_t) nr_growers; /* hint: at work now */
	char *base;		      /* const; NULL until started */
	char *head;		      /* const: layer 4's, of region 0 */
	struct unit_tag *tags;	      /* const */
	struct span *spans;	      /* const */
	_Atomic(uint64_t) *bits;      /* const: UNIT_BITS_WORDS a unit */
	_Atomic(uint64_t) *dirty;     /* const: a word a hugepage; bit set =
				      * the unit may be resident */
	_Atomic(uint64_t) *guards;    /* const: a word a hugepage, for
				      * guard_page.h */
	_Atomic(_Atomic(uint64_t) *) nodes; /* atomic: see hugepage_node.h */
	_Atomic(uint64_t) spare[NR_SPARES]; /* atomic: first << 32 | n */
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

/* Returns the ready region at or behind this one; NULL: there are no more. */
struct region *region_next(struct region *region);

/* Finds the region whose range addr lies in, NULL for foreign memory.
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

/* Returns its bytes of addresses. */
static force_inline size_t region_size(const struct region *region)
{
	// const
	return (size_t)load_relaxed(&region->nr_units) << UNIT_SHIFT;
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

/* Finds the region that a descriptor is of; NULL where it is none.
 * Wait-free. */
struct region *region_of_span_slow(const struct span *span);

static force_inline struct region *region_of_span(const struct span *span)
{
	struct region *first = &regions[0];
	size_t offset = (size_t)span - (size_t)first->spans;
	uint32_t nr_units = load_relaxed(&first->nr_units); // const by now

	if (likely(offset / sizeof(*span) < nr_units))
		return first;
	return region_of_span_slow(span);
}

static force_inline uint32_t region_span_unit(const struct region *region,
					      const struct span *span)
{
	return (uint32_t)(span - region->spans);
}

#endif
