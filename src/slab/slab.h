/* layer 3.2: slab: equal objects in a run of units, one bit per object
 *
 * A slab's free objects are the set bits of its words (region.bits at its
 * first unit). Its descriptor is the span of its first unit; span.word is the
 * slab's state word:
 *
 *	bit   0		on	somebody answers for the slab: a list, or the
 *				thread that holds it
 *	bit   1		waning	nothing is taken from it while another slab of
 *				the bin has free objects
 *	bits  8..15	size_class
 *	bits 16..31	owner	the id whose bin the slab goes to
 *	bits 32..63	generation, counts the slab's lives (for people)
 *
 * States and who answers:
 *
 *	released   on, no bits; the units are the page heap's
 *	held       on; one thread holds the slab, nobody else takes from it
 *	listed     on; in exactly one list or slot of a bin
 *	full       not on; nobody answers; all objects are live or cached
 *
 *	released -> held	slab_open()	by the units' holder
 *	held -> listed		the holder pushes it	(bin_list.c)
 *	listed -> held		a pop wins it		(bin_list.c)
 *	held -> full		slab_leave()	no bits are left
 *	full -> held		slab_give() or slab_leave(): or(on) won by
 *				the one that saw `on` clear
 *	held -> released	slab_close()	all bits are set
 *
 * A waning slab is to become empty: its objects, whoever frees them, do not
 * wait in a lane where they would be handed out again, but go home, as its
 * entries in the page map name nobody as the owner and the remote lane for
 * others. Who takes from one revives it before. Frees that read an entry while
 * it changes take the one way or the other, and both are right. A thread that
 * dies in between strands the slab, whose objects go on either way.
 *
 * Only the holder clears bits (takes), changes owner or waning, or closes.
 * Anyone who holds an object of the slab sets its bit (gives). So a giver needs
 * no right and no loop, a taker needs no loop, and no object is handed out
 * twice.
 *
 * Order of a give: set bits; look at `on`. Order of leaving: take bits; clear
 * `on`; look at the bits again. Both looks come after a sequentially
 * consistent write of one's own (Dekker), so that either the giver sees `on`
 * clear or the leaver sees the bit, or both; or(on) then lets exactly one of
 * them hold the slab. In litmus form, x a bit and y `on`, at first 0 and 1:
 *
 *	giver		leaver
 *	x = 1		y = 0
 *	r1 = y		r2 = x		r1 = 1 and r2 = 0 is forbidden
 *
 * That a slab is empty is read from its bits alone: a giver looks when its
 * bits filled a word.
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

#include "base/word.h"
#include "slab/page_map.h"
#include "slab/size_class.h"

/* A slab's word; see above. */
struct slab_word {
	uint8_t on : 1;
	uint8_t waning : 1;
	uint8_t unused : 6;
	uint8_t size_class;
	uint16_t owner;
	uint32_t generation;
};
WORD(slab_word, uint64_t);

/* Transitions, of the holder but for the third. */
static force_inline struct slab_word
slab_word_opened(struct slab_word last, unsigned size_class, unsigned owner)
{
	return (struct slab_word){
		.on = 1,
		.size_class = (uint8_t)size_class,
		.owner = (uint16_t)owner,
		.generation = last.generation + 1,
	};
}

static force_inline struct slab_word slab_word_left(struct slab_word w)
{
	w.on = 0;
	return w;
}

/* Whoever saw it off turns it on and holds it; a slab that is closed stays
 * on. */
static force_inline struct slab_word slab_word_won(struct slab_word w)
{
	w.on = 1;
	return w;
}

static force_inline struct slab_word slab_word_waned(struct slab_word w)
{
	w.waning = 1;
	return w;
}

static force_inline struct slab_word slab_word_revived(struct slab_word w)
{
	w.waning = 0;
	return w;
}

static force_inline struct slab_word slab_word_adopted(struct slab_word w,
						       unsigned owner)
{
	w.owner = (uint16_t)owner;
	return w;
}

/* The bit by which a word that was left and one that was won differ. */
#define SLAB_ON slab_word_pack((struct slab_word){ .on = 1 })

/* Makes a slab of `size_class` for `owner` out of fresh units. The caller holds
 * it. NULL: no memory. Lock-free. */
struct span *slab_open(unsigned size_class, unsigned owner);

/* Returns how many slabs of the class there are. */
uint32_t slab_nr_open(unsigned size_class);

/* The holder takes up to `most` objects in address order, with hardened=1 from
 * any word of bits on; returns how many. Wait-free. */
unsigned slab_take(struct span *slab, void **out, unsigned most);

/* The holder finds no bits and lets go. True: done. False: an object came
 * back meanwhile, and the caller holds the slab, perhaps in another life:
 * *word says of which class and owner. Wait-free. */
bool slab_leave(struct span *slab, uint64_t *word);

/* The holder makes the slab another id's. Wait-free. */
void slab_adopt(struct span *slab, unsigned owner);

/* The holder leaves a slab alone from now on, or no more; see above. A slab of
 * medium or of sampled objects does not wane. Wait-free. */
void slab_wane(struct span *slab);
void slab_revive(struct span *slab);

/* Whether it does; the holder asks. */
static force_inline bool slab_is_waning(const struct span *slab)
{
	return slab_word_unpack(load_relaxed(&slab->word)).waning; // held
}

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

struct slab_gift {
	struct span *slab;
	uint64_t word; /* its state word as last seen */
	unsigned nr;   /* objects given, at least 1 */
	enum slab_given result;
};

/* A pointer that came out of a list of the class's slabs: one that is no
 * descriptor, or not of a slab of the class, means that somebody wrote over
 * the list or the descriptor: fault(). */
void slab_check_listed(const struct span *slab, unsigned size_class);
/* Checks a pointer to one that still is in a list: where it points, no more. */
void slab_check_address(const struct span *slab);
/* Checks the word that a transition returned; fault() as above. */
void slab_check_word(const struct span *slab, struct slab_word w);

/* Sets the bits of objects[0..gift.nr), as many as are of one slab, of the n
 * > 0 there are. A bit that was set already is a double free: fault(). A
 * pointer that is none of a slab's objects, or whose tag is no slab's: fault().
 * Wait-free. */
struct slab_gift slab_give(void *const *objects, unsigned n);

/* Whether there are free objects, and how many; as far as others leave them
 * alone: hints. */
bool slab_has_free(const struct span *slab);
unsigned slab_nr_free(const struct span *slab);

/* Names the life of the slab that an object is of: no other life of any slab
 * that the object's memory is part of has the same. The caller holds the
 * object. */
uint64_t slab_life(const struct block *block);

#endif
