/* layer 4.11: slot: a page for one guarded block, as a word and its story
 *
 * The word says who may do what; the story, what a report tells of the block
 * that is there or was there last:
 *
 *	free --CAS, by who allocates--> held --store--> live
 *	live --CAS, by who frees--> held --store--> free
 *	live --CAS, by who shrinks it--> held --store--> live
 *
 * The story is its holder's while the slot is held; of a live block nobody
 * writes it. A report reads it at any time, between two looks at the word
 * (slot_read()): where they differ it may be torn, and is not told. (A machine
 * that reorders stores may show a story before its word: then one report mixes
 * two blocks.) `told` is set by a report of a program that goes on, at any
 * time, and stays: such a slot serves no block any more.
 *
 * A thread that dies while it holds a slot strands the slot.
 */
#ifndef LANE_SLOT_H
#define LANE_SLOT_H

#include "base/atomic.h"
#include "base/word.h"

enum slot_state { SLOT_FREE, SLOT_HELD, SLOT_LIVE };

struct slot_word {
	uint64_t state : 2; /* enum slot_state */
	uint64_t told : 1;
	uint64_t since : 61; /* the pool's count at the last change */
};
WORD(slot_word, uint64_t);

#define SLOT_TOLD slot_word_pack((struct slot_word){ .told = 1 })

static inline bool slot_word_serves(struct slot_word w)
{
	return w.state == SLOT_FREE && !w.told;
}

static inline struct slot_word
slot_word_moved(struct slot_word w, enum slot_state state, uint64_t now)
{
	w.state = state;
	w.since = now;
	return w;
}

/* Who allocated, or freed, when, from where. */
struct slot_act {
	uint64_t ms;	/* the clock's; 0: nobody did */
	uint32_t stack; /* trace.h; 0: not known */
	int32_t tid;	/* 0: not known */
};

struct slot_story {
	uint64_t block;
	uint64_t size;
	struct slot_act made, freed;
};

struct slot {
	_Atomic(uint64_t) word;	 /* atomic: struct slot_word */
	struct slot_story story; /* held */
};

/* Reads word and story; false: somebody changes them just now. */
static inline bool slot_read(struct slot *slot, struct slot_word *w,
			     struct slot_story *story)
{
	// [slot.word] with slot_let(): the story
	uint64_t word = load_acquire(&slot->word);

	*w = slot_word_unpack(word);
	*story = slot->story;
	// [slot.story] with slot_claim(), slot_hold(): the story, then word
	fence_acquire();
	return load_relaxed(&slot->word) == word; // hint
}

#endif
