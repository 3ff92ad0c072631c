/* layer 4.2: rseq: which mode the process runs in, and why
 *
 *	MODE_MM_CID	lanes indexed by the kernel's dense concurrency id
 *	MODE_CPU_ID	lanes indexed by the CPU number
 *	MODE_DIRECT	no lanes: each call goes to the slabs
 */
#ifndef LANE_RSEQ_H
#define LANE_RSEQ_H

#include "cpucache/percpu.h"

enum lane_mode { MODE_DIRECT, MODE_MM_CID, MODE_CPU_ID };

/* const after rseq_start() */
extern struct rseq_state {
	_Atomic(uint32_t) mode;	 /* atomic: enum lane_mode */
	const char *_Atomic why; /* atomic: one line for people */
	uint32_t nr_cpus;	 /* const: possible CPUs, at least 1 */
	bool fence;		 /* const: membarrier RSEQ is registered */
} rseq_state;

/* Looks at libc's registration, the auxiliary vector and the options; sets
 * anchor.rseq_cs and anchor.id. Idempotent; racing threads store the same. */
void rseq_start(void);

/* Whether libc is relocated, so that its rseq symbols can be read. */
bool rseq_libc_ready(void);

/* Checks by behaviour that this kernel aborts a section when its thread is
 * scheduled out on its CPU. Takes about 100 us; run once, before the second
 * thread exists. False: sections are not safe here. */
bool rseq_kernel_aborts(void);

/* The index for the calling thread's next choice of bin: a hint, as the
 * thread may move at once. In direct mode, a hash of the thread. */
unsigned rseq_current_id(void);

/* The calling thread's registered area, NULL if it has none. */
struct rseq_area *rseq_self(void);

/* Registers an area for a thread that libc does not know (the reclaimer). */
int rseq_register(struct rseq_area *area);

/* All sections that run now end or abort before this returns; false where
 * the kernel refuses. */
bool rseq_fence(void);

#endif
