/* layer 1.2: cpus: which CPUs and which kernel, and the registration of rseq
 *
 * As system.h: straight to the kernel, no errno, no TLS, no lock, safe in
 * signal handlers and on a thread that libc does not know. No state. Each is
 * one call of the kernel's and returns its answer, or a negated errno.
 */
#ifndef LANE_CPUS_H
#define LANE_CPUS_H

#include "base/compiler.h"

#define SYSTEM_RELEASE_SIZE 65 /* of the text, with its end */

/* How many CPUs the calling thread may run on. */
int system_nr_usable_cpus(void);

/* The calling thread, to that CPU alone. */
int system_bind_to_cpu(uint32_t cpu);

/* Pages of the range lie on the nodes of the mask in turn, from now on. */
int system_interleave(void *addr, size_t size, uint64_t nodes);

/* Registers the calling thread's area for restartable sequences. */
int system_rseq_register(void *area, uint32_t size, uint32_t signature);

/* The kernel forgets the area, with the size and signature that it was
 * registered with. */
int system_rseq_unregister(void *area, uint32_t size, uint32_t signature);

/* The kernel's release, as "6.1.0-28-amd64". */
int system_kernel_release(char text[SYSTEM_RELEASE_SIZE]);

#endif
