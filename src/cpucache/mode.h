/* layer 4.3: mode: which mode the process runs in, and why
 *
 *	MODE_MM_CID	lanes indexed by the kernel's dense concurrency id
 *	MODE_CPU_ID	lanes indexed by the CPU number
 *	MODE_DIRECT	no lanes: each call goes to the slabs
 *
 * The mode is in rseq_state (rseq.h), where those below look at it. In direct
 * mode anchor.rseq_cs leads to an area of our own that says "not registered",
 * so that every section fails at its first test, whoever calls it. Before
 * rseq_start() no section may run.
 *
 * All functions are wait-free, leave errno alone and may be called in signal
 * handlers; rseq_start() needs libc's TLS.
 */
#ifndef LANE_MODE_H
#define LANE_MODE_H

#include "cpucache/rseq.h"

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

#endif
