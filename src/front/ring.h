/* layer 5.1: ring: small freed blocks wait, a while for each CPU
 *
 * With hardened=1 or checks=full a small object that is freed changes places
 * with the one that waits for longest in a ring of the calling thread's id, by
 * one section, percpu_swap(). No word of it is shared in that. There is a ring
 * for each of four groups of sizes, a factor of eight apart, so that their
 * places bound their bytes: all rings of all CPUs together hold no more than
 * `quarantine`.
 *
 *	places of a group = quarantine / 4 / CPUs / its largest size
 *
 * (as which the last has 64 KiB), rounded down to a power of two, but one at
 * least and RING_PLACES_MOST at most, as who counts what waits looks at each
 * place: with a quarantine above 1 GiB the smallest wait in less than their
 * part of it. With hardened=1 alone CPUs are 16 at least, so that what waits
 * stays in the processor's caches; with checks=full, and no quarantine, none is
 * used. So many ids have rings, and no more where CPUs come later, which a
 * wider affinity brings: a count of areas is taken before one is made. An id's
 * word leads to its four rings:
 *
 *	NONE --make: CAS--> area <--release, take: CAS--> OUT
 *
 * Whoever empties the rings takes them OUT, and behind a fence of all CPUs no
 * section is at work in there: what lies in the slots is his alone until he
 * gives the area back. Meanwhile blocks of that id wait in the quarantine that
 * all share (quarantine.h), as they do where there is no memory for rings, of
 * which the system is asked once in RING_REFUSED_PASSES frees, where other ids
 * have all rings, and where no section runs.
 * Without a fence the rings stay as they are.
 *
 * An area is never unmapped once its word leads there, so that whoever looks
 * reads words, which are a hint about others' blocks and exact about his own:
 * no slot holds a block that is live.
 *
 * A thread that dies in the section loses the block in its hand, at most; one
 * that dies with an area taken leaves that id without rings, and strands what
 * was in them; one that dies with an area counted and not made leaves room for
 * one id less. Of racing makers one wins; all is lock-free, the swap and the
 * looks wait-free, and bounded by the places there are.
 */
#ifndef LANE_RING_H
#define LANE_RING_H

#include "cpucache/percpu.h"
#include "slab/bin.h"

#define NR_RINGS 4
#define RING_SIZE_LEAST 128 /* of the largest objects of the first group */
#define RING_SIZE_SHIFT 3
#define RING_REFUSED_PASSES 64
#define RING_PLACES_MOST ((size_t)1 << 17)

/* One group's. As percpu_swap() wants it; offsets are in bytes. */
struct ring {
	uint64_t place;	    /* percpu */
	uint64_t mask;	    /* const */
	void **slots;	    /* const; what they hold is percpu */
	uint64_t nr_places; /* const */
};

/* atomic: by id, the address of NR_RINGS rings, RING_NONE or RING_OUT */
#define RING_NONE 0
#define RING_OUT PERCPU_NO_AREA
extern _Atomic(uint64_t) ring_areas[NR_IDS_MOST] internal;

/* Returns the ring of objects of that size, at most SMALL_SIZE_MOST. */
static force_inline unsigned ring_of_size(size_t size)
{
	/* By the last bit of what is one less. */
	static const uint8_t rings[] = { 0, 0, 0, 0, 0, 0, 0, 1,
					 1, 1, 2, 2, 2, 3, 3 };

	return rings[bits_last(size - 1)];
}

/* The block waits, and the one that waited for longest comes out; NULL: none
 * did. False: another way must be found, as the id has no rings, or the section
 * was interrupted. */
static force_inline bool ring_swap(void *object, size_t size, void **old)
{
	return percpu_swap(ring_areas, ring_of_size(size) * sizeof(struct ring),
			   object, old);
}

/* Makes the rings of an id that has none. False: they are out, other ids have
 * all that may be, or there is no memory for them. */
bool ring_make(unsigned id);

/* Returns the end of the ids that may have rings. */
unsigned ring_ids_end(void);

/* Takes an id's rings; NULL: there are none, or no fence. */
struct ring *ring_take(unsigned id);
/* By who took them: takes out the block at place i, which may be NULL. False:
 * there are no more. */
bool ring_empty(struct ring *rings, size_t i, void **block);
void ring_give_back(unsigned id, struct ring *rings);

/* Says whether a ring holds the block; a hint where others free. */
bool ring_has(const void *block);

/* Returns the bytes that wait. */
size_t ring_size(void);

#endif
