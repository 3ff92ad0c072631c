/* layer 3.2: slab: equal objects in a run of units, one bit per object
 *
 * A slab's free objects are the set bits of its words (region.bits at its
 * first unit). Its descriptor is the span of its first unit; span.word is the
 * slab's state word:
 *
 *	bits  0..11	count	free objects: bits that are set, about to be
 *				set by a giver, or just cleared by the holder
 *	bit  12		on	somebody answers for the slab: a list, or the
 *				thread that holds it
 *	bits 16..23	class
 *	bits 24..39	owner	the id whose bin the slab goes to
 *	bits 40..63	generation, counts the slab's lives (for people)
 *
 * States and who answers:
 *
 *	released   on, count 0, no bits; the units are the page heap's
 *	held       on; one thread holds the slab, nobody else takes from it
 *	listed     on; in exactly one list or slot of a bin
 *	full       not on; nobody answers; all objects are live or cached
 *
 *	released -> held	slab_open()	by the units' holder
 *	held -> listed		the holder pushes it	(bin.c)
 *	listed -> held		a pop wins it		(bin.c)
 *	held -> full		slab_leave()	no bits are left
 *	full -> held		slab_give() or slab_leave(): or(on) won by
 *				the one that saw `on` clear
 *	held -> released	slab_close()	all bits are set
 *
 * Only the holder clears bits (takes), changes owner, or closes. Anyone who
 * holds an object of the slab sets its bit (gives). So a giver needs no right
 * and no loop, a taker needs no loop, and no object is handed out twice.
 *
 * Order of a give: count += n; set bits; look at `on`. Order of leaving: take
 * bits; count -= n; clear `on`; look at the bits again. Both looks come after
 * a sequentially consistent write of one's own (Dekker), so that either the
 * giver sees `on` clear or the leaver sees the bit, or both; or(on) then lets
 * exactly one of them hold the slab. Counting up before setting and down
 * after clearing keeps 0 <= count <= nr_objects at all times, so no field
 * overflows into the next.
 *
 * Sleepers: a giver that set the last bit and sleeps before its look holds
 * nothing, and neither does a leaver that cleared `on` and sleeps before its
 * own. Meanwhile the slab may be closed and opened for another class. When
 * they wake they find `on` set (nothing to do) or clear: then they win the
 * slab of its new life, whose owner and class they read from the word that
 * or(on) returned, and list it there. A full slab in a list is only a slab
 * whose next holder finds no bits and leaves again. slab_close() clears all
 * bits, so that a sleeper sees none of an older life.
 *
 * A thread that dies: before its bits are set, its objects are lost (at most
 * a batch) and the slab is never closed; while it holds a slab, that slab is
 * lost. Nobody waits for either.
 */
#ifndef LANE_SLAB_H
#define LANE_SLAB_H

#include "slab/size_class.h"

/* A slab's word, unpacked; every transition is a pure function on it. */
struct slab_word {
	unsigned count;
	bool on;
	unsigned class;
	unsigned owner;
	unsigned generation;
};

#define PURGE_SIZE_LEAST 4096

#define SLAB_COUNT_MASK ((uint64_t)0xfff)
#define SLAB_ON ((uint64_t)1 << 12)
#define SLAB_CLASS_SHIFT 16
#define SLAB_OWNER_SHIFT 24
#define SLAB_GENERATION_SHIFT 40

static force_inline struct slab_word slab_word_unpack(uint64_t word)
{
	return (struct slab_word){
		.count = (unsigned)(word & SLAB_COUNT_MASK),
		.on = word & SLAB_ON,
		.class = (unsigned)(word >> SLAB_CLASS_SHIFT) & 0xff,
		.owner = (unsigned)(word >> SLAB_OWNER_SHIFT) & 0xffff,
		.generation = (unsigned)(word >> SLAB_GENERATION_SHIFT),
	};
}

static force_inline uint64_t slab_word_pack(struct slab_word w)
{
	return (uint64_t)w.count | (w.on ? SLAB_ON : 0) |
	       (uint64_t)w.class << SLAB_CLASS_SHIFT |
	       (uint64_t)w.owner << SLAB_OWNER_SHIFT |
	       (uint64_t)w.generation << SLAB_GENERATION_SHIFT;
}

/* Makes a slab of `class` for `owner` out of fresh units. The caller holds
 * it. NULL: no memory. Lock-free. */
struct span *slab_open(unsigned class, unsigned owner);

/* The holder takes up to `most` objects in address order; returns how many.
 * Wait-free. */
unsigned slab_take(struct span *slab, void **out, unsigned most);

/* The holder gives the memory of free objects back to the system, as far as
 * they fill whole pages (classes of PURGE_SIZE_LEAST and more). Objects that
 * it gave back are clean; their bits in the words behind the slab's own say
 * so, which only holders read and write. While it works the objects' bits are
 * in its hand: a thread that dies here loses them. Returns the bytes. */
size_t slab_purge(struct span *slab);

/* The holder finds no bits and lets go. True: done. False: an object came
 * back meanwhile, and the caller holds the slab, perhaps in another life:
 * *word says of which class and owner. Wait-free. */
bool slab_leave(struct span *slab, uint64_t *word);

/* The holder makes the slab another id's. Wait-free. */
void slab_adopt(struct span *slab, unsigned owner);

/* Whether all objects are back (a hint for others, exact for the holder). */
bool slab_is_empty(const struct span *slab);

/* The holder gives an empty slab's units back to the page heap. */
void slab_close(struct span *slab);

/* What slab_give() leaves to its caller. */
enum slab_given {
	SLAB_GIVEN,	  /* nothing */
	SLAB_GIVEN_EMPTY, /* a listed slab became empty: a hint */
	SLAB_GIVEN_HELD,  /* the slab was full; the caller holds it now */
};

/* Sets the bits of objects[0..n) that all belong to `slab`, n > 0; *word is
 * the slab's word as last seen. A bit that was set already is a double free:
 * fault(). A pointer that is no object's start: fault(). Wait-free. */
enum slab_given slab_give(struct span *slab, void *const *objects, unsigned n,
			  uint64_t *word);

/* The slab that holds object; the object must be one of a slab's. */
struct span *slab_of(const void *object);

/* Whether object's bit is set: it is free in the slab. A hint. */
bool slab_object_is_free(const struct span *slab, const void *object);

/* Verifies the header's invariants; only while nobody uses the slab. */
void slab_check(const struct span *slab);

#endif
