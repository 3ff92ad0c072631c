/* layer 1.4: helper: a thread of the library's own, in short lives
 *
 * A helper works for the program while the program's threads sleep. It is a
 * task of the program's process and must leave no trace in it: it has the
 * rights of the thread that gave birth to it, as they were then, so it lives
 * briefly, and is gone before the program's rights change.
 *
 *	birth	a program thread: takes one of two lives by a CAS, looks
 *		whether births are forbidden, clones
 *	life	the helper works, sleeps
 *	end	by itself; or because a successor was born in the other life;
 *		or births were forbidden; or the program's threads have ended;
 *		or the first thread's capabilities are no longer its own
 *
 * All signals are blocked from before the CAS till after the clone, so a
 * thread cannot be interrupted in between. The memory of lives is zero in the
 * child of a fork (MADV_WIPEONFORK): there is no helper, and none is born
 * until the child claims the memory, as it creates a thread. The child of a
 * clone(CLONE_VM) or vfork has another process id than who claimed it and
 * gives no birth. Where the kernel cannot wipe, the child of a fork does
 * neither.
 *
 * A life in words of `life->thread`, the kernel writing the third:
 *
 *	alive = 0		the stack is free
 *	alive = 1, tid = 0	a birth is under way
 *	alive = 1, tid != 0	it lives
 *	alive = 0, tid != 0	it may still be a task for some microseconds
 *	alive = 0, tid = 0	it is known to be gone
 *
 * Who forbids (helper_forbid()) and who gives birth each write and then look:
 *
 *	birth:	alive = 1 (seq)		then reads births (seq)
 *	forbid:	births += one (seq)	then reads alive (seq)
 *
 * So one of them sees the other: the birth is called off, or the forbidder
 * waits for the life to end. A birth that is under way for too long (its
 * thread is stopped) is not waited for: the version in `births` has changed,
 * and a helper born after all ends before it does anything.
 *
 * Where a sandbox is there, or may be there soon, nobody asks the kernel for
 * anything rare (sandbox.h): no birth begins, and who forbids does not wait. It
 * need not: births counts it first, then it looks at the sandbox's word; who is
 * in there forbade before it entered, waited for the lives then, and allows
 * after it has left the word. So births is not 0 from its wait on.
 *
 * Who watches whom: a process ends when its last own thread ends, by whatever
 * way. The helper sleeps on two words (futex_waitv): its own, and the one that
 * the kernel clears when the first thread of the process ends. If that one has
 * ended, or nobody can watch it so, the helper looks in slices of SLICE_MS
 * whether the first thread or its creator still runs.
 *
 * Progress: birth and end are wait-free. helper_forbid() waits for the helper,
 * in setuid() and the like, never in an allocation. A thread that dies
 *	in a birth		leaves alive = 1: that life is lost, the other
 *				serves on; with both lost slow paths do the work
 *	in helper_forbid()	leaves births forbidden: the same
 * A helper that vanishes has alive cleared by the kernel.
 */
#ifndef LANE_HELPER_H
#define LANE_HELPER_H

#include "system/system.h"

#define HELPER_STACK_SIZE ((size_t)32 << 10)
#define HELPER_TLS_HALF ((size_t)4 << 10)

enum helper_word {
	HELPER_NONE,  /* nobody is to be asked */
	HELPER_AWAKE, /* it sleeps on this until its next tick */
	HELPER_ASKED, /* it shall purge soon */
	HELPER_LEAVE, /* it shall end */
};

struct helper_life {
	struct system_thread thread;
	_Atomic(uint32_t) word;	   /* atomic: enum helper_word */
	int creator;		   /* const once it runs */
	uint64_t births;	   /* const once it runs: at its birth */
	bool equal;		   /* the helper's: its capabilities at first */
	struct system_watch watch; /* the helper's; no word: it looks */
	void (*run)(struct helper_life *life); /* const once it runs */
	char stack[HELPER_STACK_SIZE] __attribute__((aligned(CACHE_LINE)));
	/* For code of libc that looks at its thread pointer: zeros, and the
	 * pointer in their middle. */
	char below[HELPER_TLS_HALF];
	void *self;
	char above[HELPER_TLS_HALF - sizeof(void *)];
	char own[CACHE_LINE]
		__attribute__((aligned(CACHE_LINE))); /* the runner's */
};

/* May be called again and again, where the program may now have threads; maps
 * the lives' memory and claims it for this process. Not in handlers. */
void helper_prepare(void);

/* Says whether this process has claimed it: helper_start() may succeed. */
bool helper_is_prepared(void);

/* Says whether a seccomp filter was there before, which may kill for rare
 * calls. */
bool helper_is_filtered(void);

/* Gives birth. current: it is the one to be asked from now on, and the former
 * is told to leave. *born (NULL: nobody asks): which life. 0; -EBUSY: both
 * lives are taken; or a negated errno. */
int helper_start(void (*run)(struct helper_life *life), bool current,
		 struct helper_life **born);

/* Returns the one to be asked; NULL: none was born here. It may have ended. */
struct helper_life *helper_current(void);

/* Are the helper's own: first, between two pieces of work, and at the end. */
void helper_begin(struct helper_life *life);
bool helper_must_end(struct helper_life *life);
void helper_sleep(struct helper_life *life, uint32_t word, uint64_t ms);
_Noreturn void helper_end(struct helper_life *life);

/* Waits until that helper is no task any more, about a second at most. */
void helper_await_end(struct helper_life *life);

/* Forbids births: no helper is born from now on and none is left when this
 * returns. ended: whether there was one. The result is helper_allow()'s
 * argument. Counts. */
uint32_t helper_forbid(bool *ended);

/* Whether somebody waits for the helper's end, or may; who has done a piece of
 * long work leaves the rest. */
bool helper_is_awaited(void);

/* Allows births again, and asks the kernel for nothing, as the program may be
 * in a sandbox now. */
void helper_allow(uint32_t token);

#endif
