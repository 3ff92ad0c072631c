/* layer 6.6: rights: the calls of libc that change what the program may do
 *
 *	setuid setgid seteuid setegid setreuid setregid setresuid setresgid
 *	setgroups initgroups capset chroot unshare setns
 *	close_range	with CLOSE_RANGE_UNSHARE: the helper shares descriptors
 *	prctl		PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_SECUREBITS,
 *			PR_CAPBSET_DROP, PR_CAP_AMBIENT; others are passed on
 *	syscall		the same by number (syscall_*.S), and pivot_root,
 *			seccomp, landlock_restrict_self, which have no name
 *
 * Each does
 *
 *	forbid births; end the helper, wait until it is no task any more
 *	the real call, with its result and errno
 *	allow births; one is born at once if one was ended
 *
 * libc's own setuid() tells each thread that libc knows, and waits for it; a
 * helper is none of them. These calls may be made in signal handlers, at any
 * fork and by several threads at once, and stay so: births are forbidden by a
 * count. A process that has no threads has no helper and pays two loads.
 *
 * In the child of a vfork or clone(CLONE_VM) nothing is ended: the helper is
 * another process's. Where a thread vanishes inside the real call (longjmp
 * out of a handler), no helper is born any more.
 *
 * A sandbox is said to be there before the kernel is asked for it, as other
 * threads may be in it before the call returns (TSYNC); what a thread of this
 * process asks the kernel for is over by then (system/sandbox.h). Where it was
 * refused the gate may owe a fence, which is paid.
 */
#define _GNU_SOURCE
#include "entry/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "entry/real.h"
#include "front/heap.h"
#include "front/tick.h"
#include "system/helper.h"
#include "system/sandbox.h"

struct rights rights_begin(bool may_sandbox)
{
	struct rights rights = { .may_sandbox = may_sandbox };

	rights.token = helper_forbid(&rights.ended);
	if (may_sandbox)
		sandbox_begin();
	return rights;
}

/* In strict mode and behind filters this asks the kernel for nothing. */
void rights_end(const struct rights *rights, uint64_t sandbox)
{
	if (rights->may_sandbox) {
		sandbox_end(sandbox);
		heap_gate_settle();
	}
	helper_allow(rights->token);
	if (rights->ended && !sandbox_known())
		tick_ensure_helper();
}

/* One that libc has not is a call that the kernel has not. */
#define RIGHTS_CALL(name, parameters, arguments)              \
	exported int name parameters                          \
	{                                                     \
		__typeof__(&name) real = real_function(name); \
		struct rights rights;                         \
		int result;                                   \
                                                              \
		if (unlikely(!real)) {                        \
			errno = ENOSYS;                       \
			return -1;                            \
		}                                             \
		rights = rights_begin(false);                 \
		result = real arguments;                      \
		rights_end(&rights, 0);                       \
		return result;                                \
	}

struct __user_cap_header_struct;
struct __user_cap_data_struct;
int capset(struct __user_cap_header_struct *head,
	   const struct __user_cap_data_struct *data);

RIGHTS_CALL(setuid, (uid_t id), (id))
RIGHTS_CALL(setgid, (gid_t id), (id))
RIGHTS_CALL(seteuid, (uid_t id), (id))
RIGHTS_CALL(setegid, (gid_t id), (id))
RIGHTS_CALL(setreuid, (uid_t real_id, uid_t id), (real_id, id))
RIGHTS_CALL(setregid, (gid_t real_id, gid_t id), (real_id, id))
RIGHTS_CALL(setresuid, (uid_t real_id, uid_t id, uid_t saved),
	    (real_id, id, saved))
RIGHTS_CALL(setresgid, (gid_t real_id, gid_t id, gid_t saved),
	    (real_id, id, saved))
RIGHTS_CALL(setgroups, (size_t n, const gid_t *groups), (n, groups))
RIGHTS_CALL(initgroups, (const char *user, gid_t group), (user, group))
RIGHTS_CALL(capset,
	    (struct __user_cap_header_struct * head,
	     const struct __user_cap_data_struct *data),
	    (head, data))
RIGHTS_CALL(unshare, (int flags), (flags))
RIGHTS_CALL(setns, (int fd, int kind), (fd, kind))
RIGHTS_CALL(chroot, (const char *path), (path))

#define CLOSE_RANGE_OWN (1 << 1) /* CLOSE_RANGE_UNSHARE */

exported int close_range(unsigned first, unsigned last, int flags)
{
	int (*real)(unsigned first, unsigned last,
		    int flags) = real_function(close_range);
	struct rights rights;
	int result;

	if (unlikely(!real)) {
		errno = ENOSYS;
		return -1;
	}
	if (!(flags & CLOSE_RANGE_OWN))
		return real(first, last, flags);
	rights = rights_begin(false);
	result = real(first, last, flags);
	rights_end(&rights, 0);
	return result;
}

typedef int prctl_fn(int option, ...);

static bool option_sandboxes(int option)
{
	return option == PR_SET_SECCOMP;
}

static bool option_changes_rights(int option)
{
	return option == PR_SET_NO_NEW_PRIVS || option_sandboxes(option) ||
	       option == PR_SET_SECUREBITS || option == PR_CAPBSET_DROP ||
	       option == PR_CAP_AMBIENT;
}

/* Says what such an option leaves behind, where the kernel granted it. */
static uint64_t sandbox_of_option(int option, unsigned long mode, long result)
{
	if (!option_sandboxes(option) || result)
		return 0;
	return mode == SECCOMP_MODE_STRICT ? SANDBOX_STRICT : SANDBOX_FILTER;
}

static __attribute__((noinline)) int
prctl_rights(prctl_fn *real, int option, unsigned long a, unsigned long b,
	     unsigned long c, unsigned long d)
{
	struct rights rights = rights_begin(option_sandboxes(option));
	int result = real(option, a, b, c, d);

	rights_end(&rights, sandbox_of_option(option, a, result));
	return result;
}

exported int prctl(int option, ...)
{
	prctl_fn *real = real_function(prctl);
	unsigned long a, b, c, d;
	va_list args;

	va_start(args, option);
	a = va_arg(args, unsigned long);
	b = va_arg(args, unsigned long);
	c = va_arg(args, unsigned long);
	d = va_arg(args, unsigned long);
	va_end(args);
	if (unlikely(!real)) {
		errno = ENOSYS;
		return -1;
	}
	if (option_changes_rights(option))
		return prctl_rights(real, option, a, b, c, d);
	return real(option, a, b, c, d);
}

/* syscall() */

#define SYS_close_range_everywhere 436 /* on both architectures */

typedef long syscall_fn(long nr, ...);

/* Calls the kernel itself, before the constructor has found libc's. */
static long syscall_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	long result = syscall_6(nr, a, b, c, d, e, f);

	if ((unsigned long)result < (unsigned long)-ERRNO_MOST)
		return result;
	errno = (int)-result;
	return -1;
}

static long syscall_real(long nr, long a, long b, long c, long d, long e,
			 long f)
{
	syscall_fn *real = sealed.at.real[REAL_syscall];

	if (unlikely(!real))
		return syscall_raw(nr, a, b, c, d, e, f);
	return real(nr, a, b, c, d, e, f);
}

static bool syscall_sandboxes(long nr, long a)
{
	if (nr == SYS_prctl)
		return option_sandboxes((int)a);
	return nr == SYS_seccomp &&
	       (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER);
}

static uint64_t sandbox_of_syscall(long nr, long a, long b, long result)
{
	if (nr == SYS_prctl)
		return sandbox_of_option((int)a, (unsigned long)b, result);
	/* A filter's result may be a descriptor (of its listener). */
	if (!syscall_sandboxes(nr, a) || result < 0)
		return 0;
	/* Or, by TSYNC, a thread that could not take part: nothing happened. */
	if (result && b & SECCOMP_FILTER_FLAG_TSYNC &&
	    !(b & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return 0;
	return a == SECCOMP_SET_MODE_STRICT ? SANDBOX_STRICT : SANDBOX_FILTER;
}

_Static_assert(offsetof(union sealed, at.real[REAL_syscall]) == 184,
	       "SEALED_SYSCALL of syscall_*.S");

/* Where syscall() found one of its numbers, or no libc yet (syscall_*.S). */
internal long rights_syscall(long nr, long a, long b, long c, long d, long e,
			     long f);
internal long rights_syscall_early(long nr, long a, long b, long c, long d,
				   long e, long f);

long rights_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	struct rights rights;
	long result;

	if ((nr == SYS_prctl && !option_changes_rights((int)a)) ||
	    (nr == SYS_close_range_everywhere && !(c & CLOSE_RANGE_OWN)))
		return syscall_real(nr, a, b, c, d, e, f);
	rights = rights_begin(syscall_sandboxes(nr, a));
	result = syscall_real(nr, a, b, c, d, e, f);
	rights_end(&rights, sandbox_of_syscall(nr, a, b, result));
	return result;
}

long rights_syscall_early(long nr, long a, long b, long c, long d, long e,
			  long f)
{
	return syscall_raw(nr, a, b, c, d, e, f);
}
