/* layer 6.7: clone_real: clone of a libc whose own has no second name
 *
 * It does what clone.c does, in the shared library of builds for another libc
 * than glibc: its clone() is found behind ours. A static program of such a libc
 * has clone() from libc alone, so a child of clone(CLONE_VM) that shares its
 * parent's thread pointer must not allocate there.
 */
#define _GNU_SOURCE
#include "entry/clone.h"
#include "entry/real.h"

exported int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	va_list args;
	int result;

	va_start(args, arg);
	result = clone_by(real_function(clone), run, stack, flags, arg, args);
	va_end(args);
	return result;
}
