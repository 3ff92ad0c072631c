/* layer 4.5: probe: where tracers see the samples as they are taken
 *
 * Two probes of the provider "otel_memory", as tracers that know SystemTap's
 * notes find them (perf, bpftrace, gdb):
 *
 *	alloc(block, size, weight)	a sampled block; weight: the bytes that
 *					it stands for
 *	free(block)			of sampled blocks alone
 *
 * A probe is one nop, which a tracer replaces by a trap, in a function of its
 * own whose arguments are the probe's, where the ABI has them. A note in
 * .note.stapsdt, which no program loads, says where: three addresses as the
 * linker laid them out (the nop, the base that tells how far the file was moved
 * since, the semaphore), three strings (provider, name, where the arguments
 * are).
 *
 * A semaphore counts who is attached: the tracer, or the kernel for it, writes
 * it, we read it. Wait-free; a thread that dies here leaves nothing.
 */
#ifndef LANE_PROBE_H
#define LANE_PROBE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* atomic: hints; written from outside the process */
extern _Atomic(uint16_t) probe_alloc_readers internal,
	probe_free_readers internal;

static force_inline bool probe_is_read(void)
{
	return load_relaxed(&probe_alloc_readers) || // hint
	       load_relaxed(&probe_free_readers);    // hint
}

void probe_alloc(const void *block, size_t size, size_t weight);
void probe_free(const void *block);

#endif
