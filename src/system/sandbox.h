/* layer 1.1: sandbox: what the program has forbidden itself
 *
 * From a seccomp filter on, the library asks the kernel for nothing but
 * mmap, munmap, mremap and madvise, as a filter may kill for what it does not
 * know: no thread, no futex, no membarrier, no process id. (mprotect only with
 * large_guard=all or guard=N on older kernels, and where blocks have colours,
 * see colours.h; where threads register themselves, rseq at the end of one that
 * did.) In strict mode it gives nothing
 * back either, and guards nothing. Who enters (the wrappers of
 * prctl() and syscall()) says so before the call, as the filter is there for
 * other threads before the call returns, and takes it back where the kernel
 * refused. The word goes to the child of a fork, as filters do.
 *
 * The process's own part of the word is what it does and is in, for ever;
 * beside it stands what children of vfork are in.
 *
 * A vfork child (clone.c, vfork_*.S) has its parent's memory, but what it
 * enters is its own: while it lives the whole process is modest, as nobody
 * knows which of the two reads the word, and the parent takes the child's part
 * back when it goes on. Both run on one thread's memory, never at once, so
 * what belongs to the child stands there; the process id tells it from a
 * handler of the parent's in the same place.
 *
 * A rare call, one of those that a filter may kill for, comes after a look at
 * the word, and a filter may come for all threads (TSYNC) between the two. So
 * rare calls are counted, and who enters waits for them:
 *
 *	rare call	nr_rare + 1 (seq)	then reads the word (seq)
 *	who enters	the word + 1 (seq)	then reads nr_rare (seq)
 *
 * One of them sees the other: the call is not made, or it is over before the
 * filter is there. The wait's naps are rare calls, too: two who enter at once
 * do not nap. It is bounded (RARE_NAPS): who does not come out is stopped, dead
 * or, in the child of a fork, not there, and is counted no more. In a
 * handler the interrupted thread's own rare call is one of these: a filter
 * that is installed there must let it pass.
 *
 * A thread that dies between begin and end leaves its count: the library is
 * modest from then on, which costs speed and nothing else. One that dies in a
 * rare call costs the next who enters the bound. A vfork child that dies
 * anywhere leaves what its parent takes back, but between the two steps of
 * sandbox_begin(), where it leaves its count.
 */
#ifndef LANE_SANDBOX_H
#define LANE_SANDBOX_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/word.h"

struct sandbox_word {
	uint16_t nr_calls;   /* under way, that may enter */
	uint16_t filter : 1; /* there is one, for ever */
	uint16_t strict : 1; /* strict mode is on, for ever */
	uint16_t : 14;
	uint16_t nr_children; /* of vfork, that made such a call and run */
	uint16_t nr_strict;   /* of these, the ones in strict mode */
};
WORD(sandbox_word, uint64_t);

/* What is added, or set in, the word. */
#define SANDBOX_CALL sandbox_word_pack((struct sandbox_word){ .nr_calls = 1 })
#define SANDBOX_FILTER sandbox_word_pack((struct sandbox_word){ .filter = 1 })
#define SANDBOX_STRICT sandbox_word_pack((struct sandbox_word){ .strict = 1 })
#define SANDBOX_CHILD \
	sandbox_word_pack((struct sandbox_word){ .nr_children = 1 })
#define SANDBOX_CHILD_STRICT \
	sandbox_word_pack((struct sandbox_word){ .nr_strict = 1 })

/* atomic: struct sandbox_word */
extern _Atomic(uint64_t) sandbox_word internal;

static force_inline bool sandbox_known(void)
{
	return unlikely(load_relaxed(&sandbox_word) != 0); // hint
}

static force_inline bool sandbox_strict(void)
{
	uint64_t word = load_relaxed(&sandbox_word); // hint
	struct sandbox_word w = sandbox_word_unpack(word);

	return unlikely(w.strict || w.nr_strict);
}

/* Whose part of the word counts. */
enum sandbox_whose { SANDBOX_OF_PROCESS, SANDBOX_OF_ANYBODY };

static inline bool sandbox_forbids(uint64_t word, enum sandbox_whose whose)
{
	struct sandbox_word w = sandbox_word_unpack(word);

	return w.nr_calls || w.filter || w.strict ||
	       (whose == SANDBOX_OF_ANYBODY && (w.nr_children || w.nr_strict));
}

/* Says whether rare calls may be made, until sandbox_rare_done(). Wait-free. */
bool sandbox_try_rare(enum sandbox_whose whose);
void sandbox_rare_done(void);

/* Stand around a call that enters: kind is what is on now, 0 where the kernel
 * refused. After begin nobody makes a rare call. */
void sandbox_begin(void);
void sandbox_end(uint64_t kind);

/* Says whether the calling thread is a vfork child that made such a call. */
bool sandbox_child_entered(void);

/* Says whether strict mode is this thread's for good, as far as is known, and
 * not another one's child's: nothing new may be mapped then. */
bool sandbox_strict_here(void);

/* Says whether a vfork child may be in the calling thread's place; where nobody
 * may be asked for the process id. */
bool sandbox_in_vfork(void);

/* Stand around the life of a vfork child, by its parent; they nest. */
void sandbox_vfork_begin(void);
void sandbox_vfork_end(void);

#endif
