/* layer 1.1: syscall: the kernel's entry on x86-64
 *
 * Each architecture's file defines exactly
 *
 *	SYSCALL_PAGE_SIZE_MOST	the largest page the architecture can have
 *	syscall_6(nr, a..f)	one system call; a negated errno on failure
 *	syscall_clone(flags, stack, tls, run, arg, parent_tid, child_tid)
 *
 * Nothing here touches errno or TLS, so all of it works before libc is
 * relocated, in handlers and in threads that libc does not know.
 */
#ifndef LANE_SYSCALL_ARCH_H
#define LANE_SYSCALL_ARCH_H

#include <sys/syscall.h>

#include "base/compiler.h"

#define SYSCALL_PAGE_SIZE_MOST ((size_t)4096)

static force_inline long syscall_6(long nr, long a, long b, long c, long d,
				   long e, long f)
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

/* Starts a thread on the stack that ends at `stack` (a multiple of 16), with
 * thread pointer tls; flags say what the kernel writes to the last two. The
 * parent gets the thread's id or a negated errno; the child calls run(arg),
 * which must not return: nothing is below it, so the child traps there. The
 * child needs its registers alone, which the kernel copies but for rax, rcx,
 * r11 and rsp; its zero rbp ends a backtrace. */
static force_inline long syscall_clone(unsigned long flags, void *stack,
				       void *tls, void (*run)(void *),
				       void *arg, void *parent_tid,
				       void *child_tid)
{
	register void *r10 __asm__("r10") = child_tid;
	register void *r8 __asm__("r8") = tls;
	register void (*r9)(void *) __asm__("r9") = run;
	register void *r12 __asm__("r12") = arg;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "call *%%r9\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "a"((long)SYS_clone), "D"(flags), "S"(stack),
			   "d"(parent_tid), "r"(r10), "r"(r8), "r"(r9), "r"(r12)
			 : "rcx", "r11", "cc", "memory");
	return ret;
}

#endif
