/* layer 1.1: syscall: the kernel's entry on aarch64
 *
 * The contract is at the head of syscall_x86_64.h.
 */
#ifndef LANE_SYSCALL_ARCH_H
#define LANE_SYSCALL_ARCH_H

#include <sys/syscall.h>

#include "base/compiler.h"

#define SYSCALL_PAGE_SIZE_MOST ((size_t)65536)

static force_inline long syscall_6(long nr, long a, long b, long c, long d,
				   long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "cc", "memory");
	return x0;
}

/* The child's registers are the parent's but for x0 and sp; its zero x29 and
 * x30 end a backtrace. This architecture takes tls before child_tid. */
static force_inline long syscall_clone(unsigned long flags, void *stack,
				       void *tls, void (*run)(void *),
				       void *arg, void *parent_tid,
				       void *child_tid)
{
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = (long)flags;
	register void *x1 __asm__("x1") = stack;
	register void *x2 __asm__("x2") = parent_tid;
	register void *x3 __asm__("x3") = tls;
	register void *x4 __asm__("x4") = child_tid;
	register void (*x9)(void *) __asm__("x9") = run;
	register void *x10 __asm__("x10") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "mov x0, x10\n\t"
			 "blr x9\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9),
			   "r"(x10)
			 : "cc", "memory");
	return x0;
}

#endif
