/* fake_system: a system layer that fails on demand, for unit tests
 *
 * Linked around src/system/linux.c and cpus.c (stress/harness/replace.h): every
 * call is passed on, so that memory is really mapped and purged; but before
 * that it is counted, and fails where the test said so.
 *
 *	fake_reset();
 *	fake_fail_at(FAKE_MAP, 3);		the third mapping from now fails
 *	...
 *	assert_int_equal(fake_calls(FAKE_MAP), 3);
 *
 * To reach every failure of an operation, try one failing call after another
 * until none is left:
 *
 *	for (k = 1; ; k++) {
 *		fake_reset();
 *		fake_fail_at(FAKE_ANY, k);
 *		operation();
 *		x_check();
 *		if (fake_calls(FAKE_ANY) < k)
 *			break;
 *	}
 *
 * Counting and failing are safe from several threads; settings are made while
 * one thread runs.
 */
#ifndef LANE_FAKE_SYSTEM_H
#define LANE_FAKE_SYSTEM_H

#include <setjmp.h>

#include "system/cpus.h"
#include "system/system.h"

/* Kinds of calls, with what a failing one returns. */
enum fake_call {
	FAKE_MAP,          /* system_map_at: -ENOMEM */
	FAKE_PURGE,        /* system_purge: -EINVAL, nothing purged */
	FAKE_GUARD,        /* system_guard: -EINVAL */
	FAKE_UNGUARD,      /* system_unguard: -ENOMEM */
	FAKE_HUGEPAGES,    /* system_hugepages: -EINVAL */
	FAKE_MOVE,         /* system_move_pages: -EINVAL, nothing moved */
	FAKE_REGISTER,     /* system_rseq_fence_register: -ENOSYS */
	FAKE_FENCE,        /* system_rseq_fence: -EPERM */
	FAKE_THREAD_START, /* system_thread_start: -EAGAIN */
	FAKE_READ_FILE,    /* system_read_file: -ENOENT */
	FAKE_USABLE_CPUS,  /* system_nr_usable_cpus: -EPERM */
	FAKE_BIND,         /* system_bind_to_cpu: -EINVAL */
	FAKE_RSEQ,         /* system_rseq_register: -EINVAL */
	FAKE_RELEASE,      /* system_kernel_release: -ENOSYS */
	FAKE_INTERLEAVE,   /* system_interleave: -EPERM */
	NR_FAKE_FAILING,
	/* Counted, but cannot fail; not part of FAKE_ANY. */
	FAKE_UNMAP = NR_FAKE_FAILING,
	FAKE_SLEEP,
	FAKE_WAKE,
	FAKE_ABORT,
	/* Any of those that can fail. */
	FAKE_ANY,
	NR_FAKE_CALLS
};

/* Everything below back to its first state, counts and records included. */
void fake_reset(void);
/* And what the library writes is recorded only. */
void fake_reset_quiet(void);

/* The k-th call of this kind from now on fails (1: the next one); 0: none.
 * One such point per kind, and one for FAKE_ANY. */
void fake_fail_at(enum fake_call kind, unsigned long k);

/* All calls of this kind from the k-th on (1: the next one) fail; 0: none. */
void fake_fail_from(enum fake_call kind, unsigned long k);

/* Calls of the kind since fake_reset(), the failed ones included. */
unsigned long fake_calls(enum fake_call kind);

/* Those of them that were made to fail. */
unsigned long fake_failures(enum fake_call kind);

/* What the process looks like. 0 stands for the real thing. */
struct fake_named {
	void *addr;
	size_t size;
	const char *name;
};

extern struct fake_settings {
	int pid;
	unsigned nr_cpus;
	const char *release; /* system_kernel_release()'s text */
	uint64_t memory_size; /* 0: 256 GiB, for the largest region */
	/* With this set, ranges of purge, hugepages and move that are
	 * no multiples of it are refused with -EINVAL, as such a kernel does.
	 * At least the real page size. */
	size_t page_size;
	/* RLIMIT_AS: bytes that may be mapped in all, counted from
	 * fake_reset(). */
	size_t address_limit;
	/* Where somebody else's memory lies; NULL: nowhere. */
	const char *taken;
	size_t taken_size;
	/* system_purge() refuses ranges with some of it in them, as the kernel
	 * does with locked pages. */
	char *locked;
	size_t locked_size;
	bool privileged;
	bool quiet; /* system_write_stderr() records only */
	/* system_sleep() returns at once: where the word still has the value,
	 * the clock has moved on by timeout_ms. */
	bool sleep_moves_clock;
	/* What a first touch takes, of a small page and of a hugepage. */
	uint64_t small_ns, huge_ns;
	bool huge; /* hugepages were asked for last */
	/* The last mapping that was named, and how many were. */
	struct fake_named named;
	unsigned nr_named;
	/* Called behind each move of pages, as another thread might run then;
	 * NULL: nobody. */
	void (*after_move)(void);
} fake;

/* The clock; it stands still unless the test moves it. Starts at 1000000. */
extern _Atomic(uint64_t) fake_now_ms;

/* Bytes that are mapped now, counted from fake_reset(). */
size_t fake_address_size(void);

/* The ranges that were purged, in order; the first FAKE_RANGES_MOST of them.
 */
#define FAKE_RANGES_MOST 4096
struct fake_range {
	char *addr;
	size_t size;
};
unsigned fake_nr_purged(void);
struct fake_range fake_purged(unsigned i);
/* Sum of their sizes; and whether any of them overlaps [addr, addr + size). */
size_t fake_purged_size(void);
bool fake_purge_touched(const void *addr, size_t size);

/* system_read_file(path) answers with this text from now on, or with -ENOENT
 * if it is NULL. At most 16 paths; strings are kept by reference. Other paths
 * are read for real. */
void fake_file(const char *path, const char *text);

/* What was written to stderr by the library since fake_reset() or the last
 * fake_text_clear(), cut at 4 KiB, with a final NUL. */
const char *fake_text(void);
void fake_text_clear(void);

/* Whether the statement ends in system_abort(), as fault() does; it is left
 * by longjmp then. The message is in fake_text(). */
extern jmp_buf *fake_abort_target;
#define fake_aborts(...)                           \
	__extension__({                            \
		jmp_buf fake_target_;              \
		volatile bool fake_aborted_ = true; \
		fake_abort_target = &fake_target_; \
		if (!setjmp(fake_target_)) {       \
			__VA_ARGS__;               \
			fake_aborted_ = false;     \
		}                                  \
		fake_abort_target = NULL;          \
		fake_aborted_;                     \
	})

#endif
