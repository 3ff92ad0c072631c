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

/* Counts the CPUs that the calling thread may run on. */
int system_nr_usable_cpus(void);

/* Binds the calling thread to that CPU alone. */
int system_bind_to_cpu(uint32_t cpu);

/* Lays pages of the range on the nodes of the mask in turn, from now on. */
int system_interleave(void *addr, size_t size, uint64_t nodes);

/* Registers the calling thread's area for restartable sequences. */
int system_rseq_register(void *area, uint32_t size, uint32_t signature);

/* Makes the kernel forget the area, with the size and signature that it was
 * registered with. */
int system_rseq_unregister(void *area, uint32_t size, uint32_t signature);

/* Reads the kernel's release, as "6.1.0-28-amd64". */
int system_kernel_release(char text[SYSTEM_RELEASE_SIZE]);

#endif
