/* raw: system calls that touch neither errno nor anything of the thread's;
 * the handler runs on threads that have no libc */
#ifndef RAW_H
#define RAW_H

#include <sys/syscall.h>

static inline long raw_6(long nr, long a, long b, long c, long d, long e,
			 long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define raw_0(nr) raw_6(nr, 0, 0, 0, 0, 0, 0)
#define raw_1(nr, a) raw_6(nr, (long)(a), 0, 0, 0, 0, 0)
#define raw_2(nr, a, b) raw_6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define raw_4(nr, a, b, c, d) \
	raw_6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline void raw_sleep_us(long us)
{
	struct {
		long s, ns;
	} time = { us / 1000000, us % 1000000 * 1000 };

	raw_2(SYS_nanosleep, &time, 0);
}

#endif
