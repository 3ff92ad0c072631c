/* layer 6.7: clone: children that share memory and thread pointer, as vfork's
 *
 * The gate around clone()'s call of the system, in clone.c or clone_real.c: for
 * the child's life where its parent sleeps meanwhile, else for good, unless
 * there is no child.
 */
#ifndef LANE_CLONE_H
#define LANE_CLONE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <stdarg.h>

#include "front/heap.h"
#include "guard/who.h"

typedef int clone_fn(int (*)(void *), void *, int, void *, ...);

static inline void share_begin(int flags)
{
	if (flags & CLONE_VFORK) {
		heap_vfork_begin();
		return;
	}
	who_settle();
	heap_gate_close();
}

static inline void share_end(int flags, int result)
{
	if (flags & CLONE_VFORK)
		heap_vfork_end();
	else if (result < 0)
		heap_gate_open();
}

/* args: pid_t *parent_tid, void *tls, pid_t *child_tid, which are optional. */
static inline int clone_by(clone_fn *real, int (*run)(void *), void *stack,
			   int flags, void *arg, va_list args)
{
	bool shares = (flags & CLONE_VM) && !(flags & CLONE_SETTLS);
	void *parent_tid = va_arg(args, void *);
	void *tls = va_arg(args, void *);
	void *child_tid = va_arg(args, void *);
	int result = -1;

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

#endif
