/* layer 1.1: syscall: the kernel's entry, for arguments of any kind
 *
 * call_0() to call_6() take the number and so many arguments, numbers or
 * pointers; the result is the kernel's, a negated errno on failure. What lies
 * below is the architecture's; its contract is in syscall_x86_64.h.
 */
#ifndef LANE_SYSCALL_H
#define LANE_SYSCALL_H

#if defined(__x86_64__)
#include "system/syscall_x86_64.h"
#elif defined(__aarch64__)
#include "system/syscall_aarch64.h"
#endif

#define call_6(nr, a, b, c, d, e, f)                                           \
	syscall_6((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		  (long)(f))
#define call_5(nr, a, b, c, d, e) call_6(nr, a, b, c, d, e, 0)
#define call_4(nr, a, b, c, d) call_6(nr, a, b, c, d, 0, 0)
#define call_3(nr, a, b, c) call_6(nr, a, b, c, 0, 0, 0)
#define call_2(nr, a, b) call_6(nr, a, b, 0, 0, 0, 0)
#define call_1(nr, a) call_6(nr, a, 0, 0, 0, 0, 0)
#define call_0(nr) call_6(nr, 0, 0, 0, 0, 0, 0)

#endif
