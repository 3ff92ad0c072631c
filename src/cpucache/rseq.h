/* layer 4.2: rseq: which mode the process runs in, and why
 *
 *	MODE_MM_CID	lanes indexed by the kernel's dense concurrency id
 *	MODE_CPU_ID	lanes indexed by the CPU number
 *	MODE_DIRECT	no lanes: each call goes to the slabs
 *
 * In direct mode anchor.rseq_cs leads to an area of our own that says "not
 * registered", so that every section fails at its first test, whoever calls
 * it. Before rseq_start() no section may run.
 *
 * All functions are wait-free, leave errno alone and may be called in signal
 * handlers; rseq_start() needs libc's TLS.
 */
#ifndef LANE_RSEQ_H
#define LANE_RSEQ_H

#include "cpucache/percpu.h"
#include "cpucache/rseq_own.h"

/* cpu_id of an area: before its registration, and where that was refused. */
#define RSEQ_NEW_THREAD UINT32_MAX
#define RSEQ_REFUSED (UINT32_MAX - 1)

enum lane_mode { MODE_DIRECT, MODE_MM_CID, MODE_CPU_ID };

/* const after rseq_start(), but for rseq_give_up() */
extern struct rseq_state {
	_Atomic(uint32_t) mode;	 /* atomic: enum lane_mode */
	const char *_Atomic why; /* atomic: one line for people */
	uint32_t nr_cpus;	 /* const: ids in direct mode, at least 1 */
	bool fence;		 /* const: membarrier RSEQ is registered */
	bool node_ids;		 /* const: areas tell the CPU's node */
} rseq_state internal;

/* Looks at libc's registration, the auxiliary vector and the options; sets
 * anchor.rseq_cs and anchor.id. Idempotent; racing threads store the same.
 * Without effect while rseq_libc_ready() is false. */
void rseq_start(void);

/* Whether libc is relocated, so that its rseq symbols can be read; where
 * threads register themselves, whether the constructor has run. */
bool rseq_libc_ready(void);

/* Sets MODE_DIRECT for good, for this reason (a constant text). Sections that
 * already run may still commit. */
void rseq_give_up(const char *why);

/* The index for the calling thread's next choice of bin: a hint, as the
 * thread may move at once. In direct mode, and for threads that are not
 * registered, a hash of the thread below nr_cpus. */
unsigned rseq_current_id(void);

/* Returns the calling thread's registered area, NULL if it has none. */
struct rseq_area *rseq_self(void);

/* Registers an area for a thread that libc does not know (the helper). The
 * area is all zero and lives as long as the thread. 0 or a negated errno,
 * -EBUSY for an area that is this thread's already. */
int rseq_register(struct rseq_area *area);

/* Makes the kernel forget an area, and write RSEQ_NEW_THREAD to its cpu_id. */
void rseq_unregister(struct rseq_area *area);

/* Registers the calling thread, where threads do that themselves. Only where no
 * vfork child can be the caller (rseq_own.h). */
static force_inline void rseq_ensure(void)
{
	if (rseq_own_register)
		rseq_own_register();
}

/* Fences all CPUs: all sections that run now end or abort before this returns;
 * false where the kernel refuses. */
bool rseq_fence(void);

#endif
