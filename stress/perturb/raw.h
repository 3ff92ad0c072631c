/* raw: system calls that leave errno alone and need no TLS */
#ifndef PERTURB_RAW_H
#define PERTURB_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long raw_call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline uint64_t raw_thread_pointer(void)
{
	uint64_t tp;

	__asm__("movq %%fs:0, %0" : "=r"(tp));
	return tp;
}

#endif
