/* layer 4.2: rseq: the calling thread's area and id, and the fence
 *
 * Sections arm the area that anchor.rseq_cs leads to: libc's, the thread's own
 * (rseq_own.h), or one that says "not registered" (mode.h), which decides that
 * and fills rseq_state.
 *
 * All functions are wait-free, leave errno alone and may be called in signal
 * handlers.
 */
#ifndef LANE_RSEQ_H
#define LANE_RSEQ_H

#include "base/atomic.h"
#include "cpucache/percpu.h"

/* cpu_id of an area: before its registration, and where that was refused. */
#define RSEQ_NEW_THREAD UINT32_MAX
#define RSEQ_REFUSED (UINT32_MAX - 1)

#define RSEQ_AREA_SIZE 32 /* as libc registers it */

enum lane_mode { MODE_DIRECT, MODE_MM_CID, MODE_CPU_ID };

/* const after rseq_start(), but for rseq_give_up() (mode.h) */
extern struct rseq_state {
	_Atomic(uint32_t) mode;	 /* atomic: enum lane_mode */
	const char *_Atomic why; /* atomic: one line for people */
	uint32_t nr_cpus;	 /* const: ids in direct mode, at least 1 */
	bool fence;		 /* const: membarrier RSEQ is registered */
	bool node_ids;		 /* const: areas tell the CPU's node */
} rseq_state internal;

/* Finds the area whose rseq_cs is so far from the thread pointer. */
static force_inline struct rseq_area *rseq_area_at(int64_t rseq_cs)
{
	char *cs = percpu_thread_pointer() + rseq_cs;

	return (void *)(cs - offsetof(struct rseq_area, rseq_cs));
}

static force_inline uint32_t rseq_area_cpu_id(const struct rseq_area *area)
{
	return load_once(&area->cpu_id);
}

/* Returns the index for the calling thread's next choice of bin: a hint, as the
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

/* Fences all CPUs: all sections that run now end or abort before this returns;
 * false where the kernel refuses. */
bool rseq_fence(void);

#endif
