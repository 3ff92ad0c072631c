/* layer 1.2: linux: system.h by raw system calls
 *
 * State: two cached numbers, which every caller finds alike. Every function is
 * wait-free but for what the kernel does, and may run anywhere, also at once
 * with itself.
 *
 * libc is asked for one thing that it knows better, the auxiliary vector, and
 * only once it has run its first initialiser, which a non-null `environ` shows:
 * before that its own relocations may be missing, though ours are there (its
 * IFUNC resolvers may run in between). Without it a system call answers. The
 * clock is the vDSO's own (sealed.h), as a function of libc's may be another
 * library's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "system/environ.h"
#include "system/sandbox.h"
#include "system/sealed.h"
#include "system/system.h"
#include "system/syscall.h"

/* Kernel constants that not every libc's headers know. */
#define MREMAP_KEEP_SOURCE 4	 /* MREMAP_DONTUNMAP */
#define MAP_KEEP_OTHERS 0x100000 /* MAP_FIXED_NOREPLACE */
#define ADVICE_GUARD 102	 /* MADV_GUARD_INSTALL, Linux 6.13 */
#define ADVICE_UNGUARD 103	 /* MADV_GUARD_REMOVE */
#define SET_NAME 0x53564d41	 /* PR_SET_VMA, Linux 5.17 */
#define SET_NAME_OF_MAP 0	 /* PR_SET_VMA_ANON_NAME */
#define FUTEX_WAIT_PRIVATE (0 | 128)
#define FUTEX_WAKE_PRIVATE (1 | 128)
#define FUTEX_WAKE_SHARED 1
#define FUTEX_WAIT_SOME 449 /* futex_waitv, the same number everywhere */
#define FUTEX_WORD 2
#define FUTEX_WORD_PRIVATE (2 | 128)
#define FUTEX_COMPARE_PRIVATE (4 | 128) /* FUTEX_CMP_REQUEUE, of nobody */
#define MEMBARRIER_FENCE_RSEQ (1 << 7)
#define MEMBARRIER_REGISTER_RSEQ (1 << 8)

#define MOVE_MARK 0x6c616e65u /* stands in pages that a move replaces */
#define SIGNAL_SET_SIZE 8     /* of the kernel's sigset_t */
#define AFFINITY_SIZE 1024    /* 8192 CPUs, the most that Linux builds for */

static bool is_error(long ret)
{
	return (unsigned long)ret >= (unsigned long)-ERRNO_MOST;
}

/* Address space */

/* Kernels before 4.17 take the address for a wish: what they put elsewhere goes
 * back. */
int system_map_at(void *addr, size_t size)
{
	long at;

	if (sandbox_strict_here())
		return -EPERM;
	at = call_6(SYS_mmap, addr, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_KEEP_OTHERS, -1, 0);
	if (is_error(at))
		return (int)at;
	if (at == (long)addr)
		return 0;
	system_unmap((void *)at, size);
	return -EEXIST;
}

void system_map_name(void *addr, size_t size, const char *name)
{
	call_5(SYS_prctl, SET_NAME, SET_NAME_OF_MAP, addr, size, name);
}

void system_unmap(void *addr, size_t size)
{
	call_2(SYS_munmap, addr, size);
}

/* Gives an advice that changes nothing; the kernel refuses it over a hole. */
bool system_is_mapped(void *addr, size_t size)
{
	return !call_3(SYS_madvise, addr, size, MADV_NORMAL);
}

bool system_address_space_limited(void)
{
	struct rlimit limit;

	if (is_error(call_2(SYS_getrlimit, RLIMIT_AS, &limit)))
		return false;
	return limit.rlim_cur != RLIM_INFINITY;
}

/* Pages */

int system_purge(void *addr, size_t size)
{
	if (sandbox_strict())
		return -EPERM;
	return (int)call_3(SYS_madvise, addr, size, MADV_DONTNEED);
}

int system_guard(void *addr, size_t size, bool split)
{
	int result;

	if (sandbox_strict())
		return -EPERM;
	result = (int)call_3(SYS_madvise, addr, size, ADVICE_GUARD);
	if (result && split)
		result = (int)call_3(SYS_mprotect, addr, size, PROT_NONE);
	return result;
}

/* Both ways: who guarded the page may have had the one or the other. */
int system_unguard(void *addr, size_t size, bool split)
{
	int result;

	if (sandbox_strict())
		return -EPERM;
	result = (int)call_3(SYS_madvise, addr, size, ADVICE_UNGUARD);
	if (split)
		result = (int)call_3(SYS_mprotect, addr, size,
				     PROT_READ | PROT_WRITE);
	return result;
}

int system_hugepages(void *addr, size_t size, bool want)
{
	return (int)call_3(SYS_madvise, addr, size,
			   want ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

uint64_t system_touch_ns(void *addr)
{
	struct timespec from, to;

	if (!sealed.at.clock || sealed.at.clock(CLOCK_MONOTONIC, &from))
		return UINT64_MAX;
	*(volatile char *)addr = 0;
	sealed.at.clock(CLOCK_MONOTONIC, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 +
	       (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
}

/* Whether *word holds value, without a fault where it is not readable. */
static bool word_is(const void *word, uint32_t value)
{
	return call_6(SYS_futex, word, FUTEX_COMPARE_PRIVATE, 0, 0, word,
		      value) == 0;
}

/* The move of [via, via + size) to `to` failed. The kernel may have unmapped
 * `to` before it did. A hole in a region would go to the program's next mmap,
 * so it is filled at once; where it cannot be, either `to` is still there, as
 * its mark shows, or somebody else sits in the heap, which nothing mends. */
static void undo_move(uint32_t *to, void *from, void *via, size_t size)
{
	static const char lost[] =
		"lanemalloc: other memory was mapped into the heap\n";
	long addr = call_6(SYS_mmap, to, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_KEEP_OTHERS, -1,
			   0);

	if (is_error(addr) && !word_is(to, MOVE_MARK)) {
		system_write_stderr(lost, sizeof(lost) - 1);
		system_abort();
	}
	__builtin_memcpy(from, via, size);
	system_unmap(via, size);
}

/* In two steps, because kernels before 6.17 unmap `to` first and then refuse a
 * source that lies in more than one mapping: the first step can fail of that,
 * and changes nothing then; the second moves one whole mapping. */
int system_move_pages(void *to, void *from, size_t size)
{
	long via, ret;

	if (sandbox_strict_here())
		return -EPERM;
	via = call_6(SYS_mremap, from, size, size,
		     MREMAP_MAYMOVE | MREMAP_KEEP_SOURCE, 0, 0);
	if (is_error(via))
		return (int)via;
	*(uint32_t *)to = MOVE_MARK;
	ret = call_6(SYS_mremap, via, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to, 0);
	if (!is_error(ret))
		return 0;
	undo_move(to, from, (void *)via, size);
	return (int)ret;
}

/* What the kernel told the process at its start */

static long read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;
	long ret;

	while (done < size) {
		ret = call_3(SYS_read, fd, buf + done, size - done);
		if (ret == -EINTR)
			continue;
		if (is_error(ret))
			return ret;
		if (ret == 0)
			break;
		done += (size_t)ret;
	}
	return (long)done;
}

long system_read_file(const char *path, char *buf, size_t size)
{
	long fd, ret;

	fd = call_4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (is_error(fd))
		return fd;
	ret = read_all((int)fd, buf, size);
	call_1(SYS_close, fd);
	return ret;
}

#define AUX_MOST 64 /* entries, more than kernels have */

static bool aux_value_from_proc(uint64_t type, uint64_t *value)
{
	Elf64_auxv_t vector[AUX_MOST];
	long size = system_read_file("/proc/self/auxv", (char *)vector,
				     sizeof(vector));
	long i;

	for (i = 0; i < size / (long)sizeof(vector[0]); i++) {
		if (vector[i].a_type == type) {
			*value = vector[i].a_un.a_val;
			return true;
		}
	}
	return false;
}

/* Only for types that every kernel passes: for others getauxval() would write
 * errno. */
static bool aux_value(uint64_t type, uint64_t *value)
{
	if (!environ_is_there() || !getauxval)
		return aux_value_from_proc(type, value);
	*value = getauxval(type);
	return true;
}

/* While nobody can tell, the largest page of the architecture: ranges that
 * are multiples of it suit every kernel. That guess is not kept. */
size_t system_page_size(void)
{
	static _Atomic(uint64_t) page_size;
	uint64_t size = load_relaxed(&page_size); // hint: all find the same

	if (size)
		return size;
	if (!aux_value(AT_PAGESZ, &size) || !size)
		return SYSCALL_PAGE_SIZE_MOST;
	store_relaxed(&page_size, size); // hint: all store the same
	return size;
}

/* The size of the kernel's own CPU masks, which sched_getaffinity(2) returns,
 * bounds every CPU number of this boot: unlike /sys it is there in every
 * sandbox, and unlike the mask's contents it knows CPUs that are off, or out
 * of the cpuset, and may come later. */
unsigned system_nr_cpus(void)
{
	static _Atomic(uint32_t) nr_cpus;
	uint32_t nr = load_relaxed(&nr_cpus); // hint: all find the same
	uint64_t mask[AFFINITY_SIZE / 8];
	long size;

	if (nr)
		return nr;
	size = call_3(SYS_sched_getaffinity, 0, AFFINITY_SIZE, mask);
	nr = (is_error(size) || !size ? AFFINITY_SIZE : (uint32_t)size) * 8;
	store_relaxed(&nr_cpus, nr); // hint: all store the same
	return nr;
}

bool system_privileged(void)
{
	uint64_t value;

	return !aux_value(AT_SECURE, &value) || value;
}

/* Asked for at start, since a sandbox may come later. */
uint64_t system_memory_size(void)
{
	static _Atomic(uint64_t) memory_size;
	uint64_t size = load_relaxed(&memory_size); // hint: all find the same
	struct sysinfo info;

	if (size || is_error(call_1(SYS_sysinfo, &info)))
		return size;
	size = (uint64_t)info.totalram * info.mem_unit;
	store_relaxed(&memory_size, size); // hint: all store the same
	return size;
}

/* Uses what a kernel gives that refuses the call: its 16 random bytes at
 * start. */
static uint64_t random_from_start(void)
{
	uint64_t addr = 0, bytes[2] = { 0 }, now = system_now_ms();

	if (aux_value(AT_RANDOM, &addr) && addr)
		__builtin_memcpy(bytes, (void *)(uintptr_t)addr, sizeof(bytes));
	return bits_scramble(bytes[0] ^ bits_scramble(bytes[1] ^ now));
}

/* As the kernel shows it, in hexadecimal: 0x00040000 is ADDR_NO_RANDOMIZE. A
 * filter may kill for personality(2). */
static bool wants_no_randomness(void)
{
	char text[16];
	long n = system_read_file("/proc/self/personality", text, sizeof(text));
	char digit = n >= 8 ? text[3] : '0'; /* of bits 16 to 19 */

	return (digit > '9' ? digit - 'a' + 10 : digit - '0') & 4;
}

uint64_t system_random(void)
{
	uint64_t bytes;

	if (wants_no_randomness())
		return 0;
	if (call_3(SYS_getrandom, &bytes, sizeof(bytes), GRND_NONBLOCK) !=
	    sizeof(bytes))
		return random_from_start();
	return bytes;
}

int system_getpid(void)
{
	return (int)call_0(SYS_getpid);
}

/* Without the vDSO a sandbox stops the clock: the call might be killed for. */
uint64_t system_now_ms(void)
{
	static _Atomic(uint64_t) last;
	struct timespec now = { 0, 0 };
	uint64_t ms;

	if (likely(sealed.at.clock))
		sealed.at.clock(CLOCK_MONOTONIC_COARSE, &now);
	else if (sandbox_known())
		return load_relaxed(&last);
	else
		call_2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (unlikely(!sealed.at.clock))
		store_relaxed(&last, ms);
	return ms;
}

/* Fences */

int system_rseq_fence_register(void)
{
	return (int)call_3(SYS_membarrier, MEMBARRIER_REGISTER_RSEQ, 0, 0);
}

/* -EPERM: this process is not registered, which a fork child may not be. */
static int rseq_fence_now(void)
{
	int ret = (int)call_3(SYS_membarrier, MEMBARRIER_FENCE_RSEQ, 0, 0);

	if (ret != -EPERM)
		return ret;
	ret = system_rseq_fence_register();
	if (ret)
		return ret;
	return (int)call_3(SYS_membarrier, MEMBARRIER_FENCE_RSEQ, 0, 0);
}

int system_rseq_fence(void)
{
	int ret;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return -EACCES;
	ret = rseq_fence_now();
	sandbox_rare_done();
	return ret;
}

/* Signals, sleep, threads */

static uint64_t signals_change(int how, uint64_t set)
{
	uint64_t old = 0;

	call_4(SYS_rt_sigprocmask, how, &set, &old, SIGNAL_SET_SIZE);
	return old;
}

void system_write_stderr(const char *text, size_t size)
{
	long ret;

	while (size) {
		ret = call_3(SYS_write, 2, text, size);
		if (ret == -EINTR)
			continue;
		if (is_error(ret))
			return;
		text += ret;
		size -= (size_t)ret;
	}
}

/* Who writes to a pipe that nobody reads gets SIGPIPE. */
bool system_stderr_takes(void)
{
	struct pollfd poll = { .fd = 2, .events = POLLOUT };
	struct timespec none = { 0, 0 };

	return call_4(SYS_ppoll, &poll, 1, &none, NULL) == 1 &&
	       poll.revents == POLLOUT;
}

uint64_t system_stderr_file(void)
{
	struct stat at = { 0 }; /* where it is closed */

	call_2(SYS_fstat, 2, &at);
	return ((uint64_t)at.st_dev << 40 ^ (uint64_t)at.st_ino) << 1 | 1;
}

bool system_stderr_appends(void)
{
	long flags = call_2(SYS_fcntl, 2, F_GETFL);

	return !is_error(flags) && flags & O_APPEND;
}

static void raise_abort(void)
{
	call_3(SYS_tgkill, system_getpid(), call_0(SYS_gettid), SIGABRT);
}

/* libc's abort() takes a lock, which a thread that was stopped in it holds.
 * A program's handler runs once; should it return, or the signal be ignored,
 * the default action follows, and if a namespace's init shrugs that off, the
 * process exits. */
_Noreturn void system_abort(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action = { SIG_DFL, 0, NULL, 0 };

	signals_change(SIG_UNBLOCK, bits_one(SIGABRT - 1));
	raise_abort();
	call_4(SYS_rt_sigaction, SIGABRT, &action, NULL, SIGNAL_SET_SIZE);
	raise_abort();
	for (;;)
		call_1(SYS_exit_group, 128 + SIGABRT);
}

static struct timespec time_of_ms(uint64_t ms)
{
	return (struct timespec){
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};
}

/* Reads the fine clock: the coarse one may be behind, and the sleep be over at
 * once, again and again. */
static struct timespec time_after_ms(uint64_t ms)
{
	struct timespec now = { 0, 0 };
	uint64_t ns;

	if (likely(sealed.at.clock))
		sealed.at.clock(CLOCK_MONOTONIC, &now);
	else
		call_2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_nsec + ms % 1000 * 1000000;
	now.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
	now.tv_nsec = (long)(ns % 1000000000);
	return now;
}

/* What the kernel takes: struct futex_waitv. */
struct wait_word {
	uint64_t value;
	uint64_t word;
	uint32_t flags;
	uint32_t reserved;
};

static void wait_word_set(struct wait_word *w, _Atomic(uint32_t) *word,
			  uint32_t value, uint32_t flags)
{
	*w = (struct wait_word){ value, (uintptr_t)word, flags, 0 };
}

/* The kernel's wake at a thread's end is for one sleeper, and who joins that
 * thread may sleep on the word, too: the wake is passed on. */
static bool sleep_watching(_Atomic(uint32_t) *word, uint32_t value,
			   uint64_t timeout_ms,
			   const struct system_watch *watch)
{
	struct timespec end = time_after_ms(timeout_ms);
	struct wait_word words[2];
	long ret;

	wait_word_set(&words[0], word, value, FUTEX_WORD_PRIVATE);
	wait_word_set(&words[1], watch->word, watch->value, FUTEX_WORD);
	ret = call_6(FUTEX_WAIT_SOME, words, 2, 0, &end, CLOCK_MONOTONIC, 0);
	if (ret == 1)
		call_3(SYS_futex, watch->word, FUTEX_WAKE_SHARED, 1);
	if (ret == -EAGAIN)
		return load_relaxed(word) != value; // hint
	return ret == 0 || ret == -ETIMEDOUT || ret == -EINTR;
}

bool system_sleep(_Atomic(uint32_t) *word, uint32_t value, uint64_t timeout_ms,
		  const struct system_watch *watch)
{
	struct timespec timeout = time_of_ms(timeout_ms);

	if (watch)
		return sleep_watching(word, value, timeout_ms, watch);
	call_4(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout);
	return true;
}

void system_wake(_Atomic(uint32_t) *word)
{
	call_3(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

int system_thread_start(void *stack, size_t stack_size, void *tls,
			void (*run)(void *), void *arg,
			struct system_thread *thread)
{
	size_t top = round_down((size_t)stack + stack_size, 16);
	long ret = syscall_clone(
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
			CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		(void *)top, tls, run, arg, &thread->tid, &thread->alive);

	return is_error(ret) ? (int)ret : 0;
}
