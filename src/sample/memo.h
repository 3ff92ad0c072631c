/* layer 4.6: memo: stacks that were walked before, known by their words
 *
 * Where all rules of a walk hold for ever (lasting.h) what it finds follows
 * from where it begins and from the words that it read: return addresses, and
 * the frame pointers by which functions said where their frame ends. Who begins
 * there again and finds the same words has the same stack, and need neither
 * walk nor look its number up (trace.h).
 *
 * An entry is kept by the stack pointer and the word where the last caller of
 * the same kind had the program's own return address (a hint; any word would
 * do). Writers of one entry exclude each other, readers see whether one came
 * between:
 *
 *	version	even --CAS--> odd, words --store--> even, two more
 *
 * Who finds it odd walks, or keeps nothing. A writer that dies, or a child of a
 * fork whose parent wrote, leaves an entry that serves nobody any more.
 * Wait-free; safe in handlers.
 */
#ifndef LANE_MEMO_H
#define LANE_MEMO_H

#include "base/compiler.h"
#include "sample/frame.h"

#define MEMO_FRAMES 40	/* deeper stacks are walked */
#define MEMO_POINTERS 8 /* frame pointers that the walk needed */

/* What a walk read, while it lies there; in the hands of who walks. Offsets are
 * from sp. */
struct memo_notes {
	uint64_t sp, fp;
	unsigned nr;		       /* of return addresses */
	unsigned nr_fp;		       /* of frame pointers */
	bool fp_used;		       /* the first one, by a register */
	bool whole;		       /* all that it hangs on is here */
	uint32_t at[MEMO_FRAMES];      /* of the return addresses */
	uint32_t fp_at[MEMO_POINTERS]; /* of the others */
	uint64_t fps[MEMO_POINTERS];
};

/* Finds the number that was kept of the stack that begins at a frame; caller:
 * the return address of its function, which begins all its walks at one
 * address. 0: none. */
uint32_t memo_find(const struct frame *frame, const struct memory *memory,
		   uint64_t caller);

/* Keeps it, with the words as they stand on the stack, where return addresses
 * may be signed. The first `own` of them are this library's. */
void memo_keep(const struct memo_notes *notes, unsigned own, uint64_t caller,
	       uint32_t number);

#endif
