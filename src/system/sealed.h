/* layer 1.1: sealed: pointers to code, read-only after start
 *
 * Written by the constructors alone (entry/), which then make the page
 * read-only: who can write anywhere in the process still finds no pointer to
 * code here to bend. A reader that comes before finds NULL and does without:
 * it asks the kernel, or the loader, itself. The page holds nothing else.
 *
 *	constructor 101	clock
 *	constructor 102	what libc has behind the wrappers (shared library)
 *	constructor 103	the seal
 */
#ifndef LANE_SEALED_H
#define LANE_SEALED_H

#include <time.h>

#include "base/compiler.h"
#include "system/syscall.h"

/* libc's own functions, by their names; from setuid on those that change the
 * program's rights, and no others. */
/* clang-format off */
#define SEALED_REAL(X)                                                       \
	X(pthread_create) X(thrd_create) X(dlopen) X(dlmopen)                \
	X(sigaction) X(signal)                                               \
	X(setuid) X(setgid) X(seteuid) X(setegid) X(setreuid) X(setregid)    \
	X(setresuid) X(setresgid) X(setgroups) X(initgroups) X(capset)       \
	X(prctl) X(unshare) X(setns) X(chroot) X(syscall) X(close_range)     \
	X(clone)

enum sealed_real {
#define SEALED_NAME(name) REAL_##name,
	SEALED_REAL(SEALED_NAME)
#undef SEALED_NAME
	NR_REAL
};
/* clang-format on */

/* const after the seal */
extern union sealed {
	struct {
		int (*clock)(clockid_t, struct timespec *); /* the vDSO's */
		size_t (*libc_usable_size)(void *);
		void *real[NR_REAL];		    /* NULL: libc has none */
		int (*find_object)(void *, void *); /* _dl_find_object() */
	} at;
	char page[SYSCALL_PAGE_SIZE_MOST];
} sealed internal;

#endif
