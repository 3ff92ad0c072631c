/* layer 1.2: cpus: cpus.h by raw system calls
 *
 * Nothing is kept, and a thread that dies in here leaves nothing behind but
 * what it asked the kernel for itself.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "system/cpus.h"

#include <errno.h>
#include <sys/utsname.h>

#include "base/bits.h"
#include "system/syscall.h"

#define MASK_WORDS 128 /* 8192 CPUs */

#define UNREGISTER 1
#define INTERLEAVE 3 /* MPOL_INTERLEAVE */

/* The kernel says how many bytes of the mask it wrote. */
int system_nr_usable_cpus(void)
{
	uint64_t mask[MASK_WORDS];
	int i, size, nr = 0;

	size = (int)call_4(SYS_sched_getaffinity, 0, sizeof(mask), mask, 0);
	for (i = 0; i < size / 8; i++)
		nr += (int)bits_count(mask[i]);
	return size < 0 ? size : nr;
}

int system_bind_to_cpu(uint32_t cpu)
{
	uint64_t mask[MASK_WORDS] = { 0 };

	if (cpu / WORD_BITS >= MASK_WORDS)
		return -EINVAL;
	mask[cpu / WORD_BITS] = bits_one(cpu % WORD_BITS);
	return (int)call_4(SYS_sched_setaffinity, 0, sizeof(mask), mask, 0);
}

int system_interleave(void *addr, size_t size, uint64_t nodes)
{
	/* The kernel counts the bits from 1. */
	return (int)call_5(SYS_mbind, addr, size, INTERLEAVE, &nodes,
			   WORD_BITS + 1);
}

int system_rseq_register(void *area, uint32_t size, uint32_t signature)
{
	return (int)call_4(SYS_rseq, area, size, 0, signature);
}

int system_rseq_unregister(void *area, uint32_t size, uint32_t signature)
{
	return (int)call_4(SYS_rseq, area, size, UNREGISTER, signature);
}

int system_kernel_release(char text[SYSTEM_RELEASE_SIZE])
{
	struct utsname name;
	int result = (int)call_4(SYS_uname, &name, 0, 0, 0);

	_Static_assert(sizeof(name.release) == SYSTEM_RELEASE_SIZE, "the text");
	if (!result)
		__builtin_memcpy(text, name.release, SYSTEM_RELEASE_SIZE);
	return result;
}
