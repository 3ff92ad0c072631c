/* raw: system calls that touch neither errno nor anything of the thread's, for
 * handlers and for threads that have no libc; x86-64 */
#ifndef HARNESS_RAW_H
#define HARNESS_RAW_H

#include <stdint.h>
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
#define raw_3(nr, a, b, c) \
	raw_6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define raw_4(nr, a, b, c, d) \
	raw_6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline void raw_sleep_ns(long ns)
{
	struct {
		long s, ns;
	} time = { ns / 1000000000, ns % 1000000000 };

	raw_2(SYS_nanosleep, &time, 0);
}

static inline void raw_sleep_us(long us)
{
	raw_sleep_ns(us * 1000);
}

static inline uint64_t raw_thread_pointer(void)
{
	uint64_t tp;

	__asm__("movq %%fs:0, %0" : "=r"(tp));
	return tp;
}

#endif
