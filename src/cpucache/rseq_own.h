/* layer 4.3: rseq_own: threads register themselves, where libc does not
 *
 * In builds for another libc than glibc alone: elsewhere these functions are
 * absent, test the address before use. A thread has an area of its own among
 * the library's thread-local variables and registers it in one of its slow
 * paths:
 *
 *	new --rseq_own_register()--> registered --at its end--> ended
 *	new --the kernel refuses---> refused
 *
 * musl unmaps the stack of a detached thread, thread-local variables included,
 * while that thread still runs: were the area registered then, the kernel
 * would kill the process for an area that it cannot write. So a key's
 * destructor, which musl calls before that, unregisters it, and an ended
 * thread never registers again: its last calls, and its handlers', take the
 * direct path. pthread_setspecific() stores to the thread's own memory there,
 * without a lock and without allocating, as long as the key is a low number.
 * pthread_key_create() has a lock, so the library's constructor calls it, and
 * before that nobody registers.
 *
 * A handler in the middle of a registration may do all of it: the kernel says
 * EBUSY then to the interrupted one, which looks at the area and not at the
 * answer. One in the middle of the end finds `ended` set first. A thread that
 * dies in a registration leaves its area to the kernel, which forgets it.
 *
 * The child of a fork has its parent's registration. That of a vfork or
 * clone(CLONE_VM) runs on its parent's thread-local variables but must not
 * register them: the kernel would forget it at the child's end, and the area
 * would still tell the parent a CPU. So a caller registers only where the gate
 * is not closed by anybody (front/gate.h), as it is for such a child from
 * before its beginning.
 *
 * Registration is a rare call (system/sandbox.h): from a seccomp filter of the
 * program's on no thread registers, and new ones take the direct path. A
 * registered one still unregisters at its end: a filter that kills for that
 * does so at once and always, where an area without memory kills by chance.
 */
#ifndef LANE_RSEQ_OWN_H
#define LANE_RSEQ_OWN_H

#include "base/compiler.h"

enum rseq_own_state { RSEQ_OWN_NEW, RSEQ_OWN_READY, RSEQ_OWN_NONE };

/* Makes the key and registers the caller, in the library's constructor. */
void rseq_own_start(void) weak_import internal;

/* Whether threads may register. NEW: the constructor has not run. */
enum rseq_own_state rseq_own_state(void) weak_import internal;

/* Where each thread's area has rseq_cs, from the thread pointer. */
int64_t rseq_own_cs(void) weak_import internal;

/* Registers the calling thread, unless it is, was, or cannot be. */
void rseq_own_register(void) weak_import internal;

/* Registers the calling thread, where threads do that themselves. Only where no
 * vfork child can be the caller. */
static force_inline void rseq_ensure(void)
{
	if (rseq_own_register)
		rseq_own_register();
}

#endif
