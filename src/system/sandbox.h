/* layer 1.1: sandbox: what the program has forbidden itself
 *
 * From a seccomp filter on, the library asks the kernel for nothing but
 * mmap, munmap, mremap and madvise, as a filter may kill for what it does not
 * know: no thread, no futex, no membarrier, no process id. (mprotect only with
 * large_guard=all on older kernels; where threads register themselves, rseq at
 * the end of one that did.) In strict mode it gives nothing back
 * either, and guards nothing. Who enters (the wrappers of
 * prctl() and syscall()) says so before the call, as the filter is there for
 * other threads before the call returns, and takes it back where the kernel
 * refused. The word goes to the child of a fork, as filters do.
 *
 *	bits 0..15	calls under way that may enter
 *	bit 16		a filter is there, for ever
 *	bit 17		strict mode is on, for ever
 *
 * A thread that dies between begin and end leaves its count: the library is
 * modest from then on, which costs speed and nothing else.
 */
#ifndef LANE_SANDBOX_H
#define LANE_SANDBOX_H

#include "base/atomic.h"
#include "base/compiler.h"

#define SANDBOX_FILTER ((uint32_t)1 << 16)
#define SANDBOX_STRICT ((uint32_t)1 << 17)

extern _Atomic(uint32_t) sandbox_word internal; /* atomic: see above */

static force_inline bool sandbox_known(void)
{
	return unlikely(load_relaxed(&sandbox_word) != 0); // hint
}

static force_inline bool sandbox_strict(void)
{
	return unlikely(load_relaxed(&sandbox_word) & SANDBOX_STRICT); // hint
}

static inline void sandbox_begin(void)
{
	add_relaxed(&sandbox_word, 1); // own: before the call that enters
}

/* kind: what is on now; 0 where the kernel refused. */
static inline void sandbox_end(uint32_t kind)
{
	or_relaxed(&sandbox_word, kind); // own: before the count goes
	sub_relaxed(&sandbox_word, 1);   // counter
}

#endif
