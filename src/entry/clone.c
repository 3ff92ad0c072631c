/* layer 6.7: clone: children that share memory and thread pointer, as vfork's
 *
 * A child of clone(CLONE_VM) without a thread pointer of its own runs on its
 * parent's TLS while the kernel has cleared its rseq registration, as a vfork
 * child does (see vfork_x86_64.S): the fast paths' gate is closed for it. With
 * CLONE_VFORK the parent sleeps until the child is done and then opens the
 * gate; without, nobody learns when the child ends, and the process stays on
 * the direct path. For the same reason a sandbox of such a child's is the
 * parent's, too, for ever (system/sandbox.h); one of a child with CLONE_VFORK
 * ends with it.
 *
 * Threads (CLONE_SETTLS) and children with memory of their own are passed on
 * untouched. libc's own use of clone (threads, posix_spawn) does not come by
 * here; its children do not allocate. A raw clone or vfork system call cannot
 * be seen: such a child must not allocate.
 *
 * With glibc only; see clone_real.c.
 */
#define _GNU_SOURCE
#include "entry/clone.h"

extern int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...);

exported int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	va_list args;
	int result;

	va_start(args, arg);
	result = clone_by(__clone, run, stack, flags, arg, args);
	va_end(args);
	return result;
}
