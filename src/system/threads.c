/* layer 1.2: threads: threads.h by raw system calls
 *
 * No state. Every function is wait-free but for what the kernel does; one
 * that is refused by the kernel answers as its comment says. A thread that
 * dies in here leaves nothing behind but, between block and restore, its
 * signals blocked.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/bits.h"
#include "base/text.h"
#include "system/environ.h"
#include "system/system.h"
#include "system/threads.h"
#include "system/syscall.h"

/* Kernel constants that not every libc's headers know. */
#define FUTEX_WAIT_SHARED 0
#define WIPE_ON_FORK 18
#define SIGNAL_SET_SIZE 8 /* of the kernel's sigset_t */
#define STATUS_MOST 4096  /* bytes of it that are read */

uint64_t system_signals_block(void)
{
	uint64_t all = ALL_ONES, old = 0;

	call_4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, SIGNAL_SET_SIZE);
	return old;
}

void system_signals_restore(uint64_t old)
{
	call_4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, SIGNAL_SET_SIZE);
}

int system_gettid(void)
{
	return (int)call_0(SYS_gettid);
}

void system_raise(int signal)
{
	call_3(SYS_tgkill, system_getpid(), system_gettid(), signal);
}

bool system_thread_lives(int tid)
{
	return call_2(SYS_tgkill, system_getpid(), tid) != -ESRCH;
}

/* The kernel forgets the list of robust futexes, which libc registers for each
 * thread, when the thread begins to end. */
bool system_thread_runs(int tid)
{
	void *list = NULL;
	size_t size;

	return !call_3(SYS_get_robust_list, tid, &list, &size) && list;
}

static long capabilities(int tid, struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
		.pid = tid,
	};

	return call_2(SYS_capget, &head, data);
}

bool system_same_capabilities(int tid)
{
	struct __user_cap_data_struct own[2] = { 0 }, other[2] = { 0 };
	unsigned i;

	if (capabilities(0, own) || capabilities(tid, other))
		return true;
	for (i = 0; i < 2; i++)
		if (own[i].effective != other[i].effective ||
		    own[i].permitted != other[i].permitted ||
		    own[i].inheritable != other[i].inheritable)
			return false;
	return true;
}

_Atomic(uint32_t) *system_tid_word(int tid)
{
	_Atomic(uint32_t) *word = NULL;

	if (call_2(SYS_prctl, PR_GET_TID_ADDRESS, &word) || !word)
		return NULL;
	return load_relaxed(word) == (uint32_t)tid ? word : NULL; // own
}

static struct timespec in_ns(long ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

void system_sleep_shared(_Atomic(uint32_t) *word, uint32_t value,
			 uint64_t timeout_ms)
{
	struct timespec time = in_ns((long)timeout_ms * 1000000);

	call_4(SYS_futex, word, FUTEX_WAIT_SHARED, value, &time);
}

void system_nap(long us)
{
	struct timespec time = in_ns(us * 1000);

	call_4(SYS_ppoll, NULL, 0, &time, NULL);
}

_Noreturn void system_thread_exit(void)
{
	for (;;)
		call_1(SYS_exit, 0);
}

int system_wipe_on_fork(void *addr, size_t size)
{
	return (int)call_3(SYS_madvise, addr, size, WIPE_ON_FORK);
}

bool system_is_filtered(void)
{
	char text[STATUS_MOST];
	long size = system_read_file("/proc/self/status", text,
				     sizeof(text) - 1);
	long i;

	if (size < 0)
		return true;
	text[size] = '\0';
	for (i = 0; i < size; i++)
		if (text_behind(text + i, "\nSeccomp:\t0\n"))
			return false;
	return true;
}

const char *system_vdso(void)
{
	if (!environ_is_there() || !getauxval)
		return NULL;
	return (const char *)getauxval(AT_SYSINFO_EHDR);
}

void system_make_readonly(void *addr, size_t size)
{
	call_3(SYS_mprotect, addr, size, PROT_READ);
}

/* By libc, which knows how a handler returns. Only at start, where no other
 * thread is. */
int system_handle_signal(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction old,
		action = { .sa_sigaction = handler,
			   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	if (sigaction(signal, NULL, &old))
		return -errno;
	if (old.sa_handler != SIG_DFL)
		return -EBUSY;
	sigfillset(&action.sa_mask);
	return sigaction(signal, &action, NULL) ? -errno : 0;
}
