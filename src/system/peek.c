/* layer 1.2: peek: reads memory of the process that may not be there
 *
 * State: one word, whether the kernel may be asked; set once, as every caller
 * of system_peek_start() finds it. A thread that dies here leaves nothing, but
 * for a descriptor where it had one open; so does a fork meanwhile in the
 * child, until that calls exec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "system/peek.h"
#include "system/sandbox.h"
#include "system/system.h"
#include "system/syscall.h"

#define PAGES_MOST 16		/* that one call looks at */
#define ADVICE_POPULATE_READ 22 /* MADV_POPULATE_READ, Linux 5.14 */

static _Atomic(uint32_t) allowed; /* atomic: hint, set once */

void system_peek_start(void)
{
	if (!load_relaxed(&allowed) && !system_is_filtered())
		store_relaxed(&allowed, 1);
}

static size_t peek(const struct iovec *to, const struct iovec *from,
		   size_t nr_from)
{
	long n;

	if (!load_relaxed(&allowed) || !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return 0;
	n = call_5(SYS_process_vm_readv, system_getpid(), to, 1, from, nr_from);
	sandbox_rare_done();
	return n > 0 ? (size_t)n : 0;
}

size_t system_peek(void *to, const void *from, size_t size)
{
	struct iovec local = { to, size };
	struct iovec remote = { (void *)(uintptr_t)from, size };

	return peek(&local, &remote, 1);
}

static size_t peek_file(void *to, const void *from, size_t size)
{
	long fd, n;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return 0;
	fd = call_4(SYS_openat, AT_FDCWD, "/proc/self/mem",
		    O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? fd : call_4(SYS_pread64, fd, to, size, (uintptr_t)from);
	if (fd >= 0)
		call_1(SYS_close, fd);
	sandbox_rare_done();
	return n > 0 ? (size_t)n : 0;
}

size_t system_peek_behind_filter(void *to, const void *from, size_t size)
{
	return load_relaxed(&allowed) ? system_peek(to, from, size) :
					peek_file(to, from, size);
}

/* Whether a byte of each page can be copied. */
static bool can_copy(uintptr_t at, uintptr_t end, size_t page)
{
	size_t n;
	struct iovec pages[PAGES_MOST], local;
	char bytes[PAGES_MOST];

	while (at < end) {
		for (n = 0; n < PAGES_MOST && at < end; n++, at += page)
			pages[n] = (struct iovec){ (void *)at, 1 };
		local = (struct iovec){ bytes, n };
		if (peek(&local, pages, n) != n)
			return false;
	}
	return true;
}

bool system_can_read(const void *from, size_t size)
{
	size_t page = system_page_size();
	uintptr_t at = round_down((uintptr_t)from, page);
	uintptr_t end = round_up((uintptr_t)from + size, page);
	long result;

	if (sandbox_strict() || end < at)
		return false;
	result = call_3(SYS_madvise, at, end - at, ADVICE_POPULATE_READ);
	return result == -EINVAL ? can_copy(at, end, page) : !result;
}
