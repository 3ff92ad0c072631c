/* layer 6.7: clone_real: clone of a libc whose own has no second name
 *
 * As clone.c, in the shared library of builds for another libc than glibc: its
 * clone() is found behind ours. A static program of such a libc has clone()
 * from libc alone, so a child of clone(CLONE_VM) that shares its parent's
 * thread pointer must not allocate there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>

#include "entry/clone.h"
#include "entry/real.h"

typedef int clone_fn(int (*)(void *), void *, int, void *, ...);

/* The optional arguments: pid_t *parent_tid, void *tls, pid_t *child_tid. */
exported int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	bool shares = (flags & CLONE_VM) && !(flags & CLONE_SETTLS);
	clone_fn *real = real_function(clone);
	void *parent_tid, *tls, *child_tid;
	va_list args;
	int result = -1;

	va_start(args, arg);
	parent_tid = va_arg(args, void *);
	tls = va_arg(args, void *);
	child_tid = va_arg(args, void *);
	va_end(args);
	if (shares)
		share_begin(flags);
	if (real)
		result = real(run, stack, flags, arg, parent_tid, tls,
			      child_tid);
	else
		errno = ENOSYS;
	if (shares)
		share_end(flags, result);
	return result;
}
