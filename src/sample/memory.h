/* layer 4.5: memory: reads a stack, and whatever a bad frame points at
 *
 * A range of the thread's own stack that was seen to be readable once stays so
 * for the thread's life: from there words are loaded. It ends where libc's
 * stack of the thread does (the thread pointer lies on top of it; the first
 * thread's ends at __libc_stack_end), and begins at the lowest page that the
 * thread was found on, at most MEMORY_OWN_MOST below. All else is read through
 * a window that the kernel copies (peek.h): the stacks of coroutines and of
 * signal handlers, the heap, addresses that are none. A word that cannot be
 * read is an answer, no fault. Where the kernel may not be asked to copy, only
 * what lies close above sp is read, on the stack that the thread runs on, if it
 * says that those pages are there. In a sandbox it may not be asked which
 * thread this is either, so that a thread has no range that it had not before.
 *
 * State: two words a thread, `known`. A handler between the two stores finds
 * an empty range and makes its own; all ranges that are ever stored are
 * readable, and their ends are the same. A child of a fork has its parent's
 * thread's. Wait-free; a thread that dies here leaves nothing.
 */
#ifndef LANE_MEMORY_H
#define LANE_MEMORY_H

#include "base/compiler.h"

#define MEMORY_OWN_MOST ((uintptr_t)256 << 10)
#define MEMORY_WINDOW 64 /* words */

struct memory {
	uintptr_t sp;
	uintptr_t low, high; /* may be loaded from */
	uintptr_t at, end;   /* what the window shows */
	uint64_t window[MEMORY_WINDOW];
};

/* Begins to read for a thread whose stack pointer is sp. */
void memory_open(struct memory *memory, uintptr_t sp);

bool memory_read_slow(struct memory *memory, uintptr_t at, uint64_t *word);

/* Reads a word; false: it cannot be read. */
static force_inline bool memory_read(struct memory *memory, uintptr_t at,
				     uint64_t *word)
{
	if (likely(at - memory->low < memory->high - memory->low) &&
	    likely(memory->high - at >= sizeof(*word))) {
		__builtin_memcpy(word, (const void *)at, sizeof(*word));
		return true;
	}
	return memory_read_slow(memory, at, word);
}

#endif
