/* system/system.h: the real one (src/system/linux.c), against the kernel
 *
 * links: real-system
 */
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "capture.h"
#include "cases.h"
#include "system/sandbox.h"
#include "system/sealed.h"
#include "system/vdso.h"
#include "system/system.h"
#include "system/threads.h"

#define MIB ((size_t)1 << 20)
#define STACK_SIZE ((size_t)64 << 10)

extern char **environ;

/* Every test ends with the errno that it began with. */
static int errno_is_kept(void **state)
{
	(void)state;
	return errno == 4711 ? 0 : -1;
}

FIXTURE(set_errno)
{
	errno = 4711;
}

/* Addresses that nothing is mapped at, [addr, addr + size). */
static char *nowhere(size_t size)
{
	char *addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	assert_ptr_not_equal(addr, MAP_FAILED);
	munmap(addr, size);
	return addr;
}

static void *map_anywhere(size_t size)
{
	void *addr = nowhere(size);

	return system_map_at(addr, size) ? NULL : addr;
}

TEST(test_map_at, set_errno, errno_is_kept)
{
	const size_t page = system_page_size();
	char *addr = nowhere(4 * MIB);

	assert_false(system_is_mapped(addr, page));
	assert_int_equal(system_map_at(addr + MIB, MIB), 0);
	addr[MIB] = addr[2 * MIB - 1] = 1;
	/* What is there stays, and nothing is mapped beside it. */
	assert_int_equal(system_map_at(addr, 4 * MIB), -EEXIST);
	assert_int_equal(system_map_at(addr + MIB, page), -EEXIST);
	assert_int_equal(system_map_at(addr + 2 * MIB - page, MIB), -EEXIST);
	assert_int_equal(addr[MIB], 1);
	assert_true(system_is_mapped(addr + MIB, MIB));
	assert_false(system_is_mapped(addr + MIB, MIB + page));
	assert_false(system_is_mapped(addr + MIB - page, MIB));
	assert_int_equal(system_map_at(addr + 2 * MIB, page), 0);
	assert_int_equal(addr[2 * MIB], 0);
	assert_true(system_is_mapped(addr + MIB, MIB + page));
	system_unmap(addr, 4 * MIB);
	assert_false(system_is_mapped(addr + MIB, page));
	assert_int_equal(system_map_at((void *)((size_t)1 << 62), MIB),
			 -ENOMEM);
	assert_int_equal(system_map_at(addr + 1, MIB), -EINVAL);
}

TEST(test_purge, set_errno, errno_is_kept)
{
	char *addr = map_anywhere(4 * MIB);

	memset(addr, 5, 2 * MIB);
	assert_int_equal(system_purge(addr + MIB, MIB), 0);
	assert_int_equal(addr[MIB - 1], 5);
	assert_int_equal(addr[MIB], 0);
	assert_int_equal(addr[2 * MIB - 1], 0);
	assert_int_equal(system_purge(addr + 1, MIB), -EINVAL);
	system_unmap(addr, 4 * MIB);
}

static void limited(void)
{
	const struct rlimit limit = { 256 * MIB, 256 * MIB };
	char *addr = nowhere(512 * MIB);

	if (system_address_space_limited() || setrlimit(RLIMIT_AS, &limit) ||
	    !system_address_space_limited())
		_exit(1);
	if (system_map_at(addr, 512 * MIB) != -ENOMEM ||
	    system_is_mapped(addr, system_page_size()))
		_exit(2);
	if (system_map_at(addr, 128 * MIB) ||
	    system_map_at(addr + 128 * MIB, 128 * MIB) != -ENOMEM)
		_exit(3);
}

TEST(test_limits, set_errno, errno_is_kept)
{
	assert_int_equal(run_in_child(limited), 0);
}

static void not_random(void)
{
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		_exit(errno == EPERM ? 0 : 1); /* containers refuse it */
	if (system_random() || system_random())
		_exit(2);
}

TEST(test_random, set_errno, errno_is_kept)
{
	uint64_t all = 0, both = ALL_ONES, x;

	if (!system_random() && !system_random())
		skip(); /* the process has no random addresses */
	for (unsigned i = 0; i < 64; i++) {
		x = system_random();
		all |= x;
		both &= x;
	}
	assert_true(all == ALL_ONES && !both);
	assert_int_equal(run_in_child(not_random), 0);
}

static void assert_filled(const unsigned char *at, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i += 1000)
		assert_int_equal(at[i], seed ? (i / 1000 + seed) % 256 : 0);
}

static void fill(unsigned char *at, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i += 1000)
		at[i] = (unsigned char)((i / 1000 + seed) % 256);
}

TEST(test_move_pages, set_errno, errno_is_kept)
{
	unsigned char *addr = map_anywhere(16 * MIB);

	fill(addr, 2 * MIB, 1);
	fill(addr + 8 * MIB, 2 * MIB, 9);
	assert_int_equal(system_move_pages(addr + 8 * MIB, addr, 2 * MIB), 0);
	assert_filled(addr + 8 * MIB, 2 * MIB, 1);
	assert_filled(addr, 2 * MIB, 0);
	fill(addr, 2 * MIB, 3);
	assert_filled(addr + 8 * MIB, 2 * MIB, 1);
	system_unmap(addr, 16 * MIB);
}

/* A source in two mappings is refused by kernels before 6.17; either way both
 * ranges stay mapped, and no data is lost. */
TEST(test_move_of_two_mappings, set_errno, errno_is_kept)
{
	unsigned char *addr = map_anywhere(16 * MIB);
	int ret;

	fill(addr, 2 * MIB, 1);
	assert_int_equal(madvise(addr + MIB, MIB, MADV_DONTDUMP), 0);
	ret = system_move_pages(addr + 8 * MIB, addr, 2 * MIB);
	assert_filled(ret ? addr : addr + 8 * MIB, 2 * MIB, 1);
	fill(addr + 8 * MIB, 2 * MIB, 3);
	assert_filled(addr + 8 * MIB, 2 * MIB, 3);
	assert_filled(addr, 2 * MIB, ret ? 1 : 0);
	system_unmap(addr, 16 * MIB);
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Between the two clocks, however long this takes. */
static void assert_now_is_now(void)
{
	uint64_t before = clock_ms(CLOCK_MONOTONIC_COARSE);
	uint64_t now = system_now_ms();

	assert_in_range(now, before, clock_ms(CLOCK_MONOTONIC));
}

/* libc asks files that need not be there, and leaves errno as that was. */
static long nr_cpus_by_libc(void)
{
	int saved = errno;
	long nr = sysconf(_SC_NPROCESSORS_CONF);

	errno = saved;
	return nr;
}

TEST(test_machine, set_errno, errno_is_kept)
{
	char text[64], *list = (char *)environ;
	char **saved = environ;

	(void)list;
	assert_int_equal(system_page_size(), sysconf(_SC_PAGESIZE));
	assert_true(system_nr_cpus() >= nr_cpus_by_libc());
	assert_true(system_nr_cpus() <= 8192);
	assert_int_equal(system_getpid(), getpid());
	assert_false(system_privileged());
	assert_now_is_now();
	environ = NULL; /* as if libc were not relocated */
	assert_now_is_now();
	assert_false(system_privileged());
	environ = saved;
	assert_int_equal(system_read_file("/no/such", text, 64), -ENOENT);
	assert_int_equal(system_read_file("/proc/self/auxv", text, 64), 64);
	assert_true(system_read_file("/proc/self/comm", text, 64) > 1);
}

static void page_size_without_libc(void)
{
	environ = NULL;
	if (system_page_size() != (size_t)sysconf(_SC_PAGESIZE))
		_exit(1);
}

static void fence_in_child(void)
{
	if (system_rseq_fence())
		_exit(1);
}

TEST(test_fence, set_errno, errno_is_kept)
{
	int ret = system_rseq_fence(); /* registers by itself */

	if (ret == -ENOSYS || ret == -EINVAL || ret == -EPERM)
		skip();
	assert_int_equal(ret, 0);
	assert_int_equal(system_rseq_fence_register(), 0);
	assert_int_equal(run_in_child(fence_in_child), 0);
}

/* Threads */

static struct {
	_Atomic(uint32_t) started, word, ended;
	uint64_t blocked;
	void *tls, *stack;
	size_t misaligned;
	int tid;
} thread;

static __attribute__((noinline)) void *thread_pointer(void)
{
	void *tls;
#if defined(__x86_64__)
	__asm__ volatile("mov %%fs:0, %0" : "=r"(tls));
#else
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(tls));
#endif
	return tls;
}

static long raw(long nr, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	long ret;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
			 : "memory");
	return x0;
#endif
}

/* Uses no libc: sleeps in the futex until it is woken, then ends itself. */
static void run(void *arg)
{
	thread.stack = __builtin_frame_address(0);
	thread.misaligned = (size_t)thread.stack % 16;
	thread.tls = thread_pointer();
	raw(SYS_rt_sigprocmask, 0, 0, (long)&thread.blocked, 8);
	thread.tid = (int)raw(SYS_gettid, 0, 0, 0, 0);
	atomic_store(&thread.started, (uint32_t)(size_t)arg);
	while (!atomic_load(&thread.word))
		system_sleep(&thread.word, 0, 1000, NULL);
	atomic_store(&thread.ended, 1);
	for (;;)
		raw(SYS_exit, 0, 0, 0, 0);
}

/* In the futex, as /proc says, so that the wake has somebody to wake. */
static void await_sleep(void)
{
	const struct timespec little = { 0, 1000000 };
	char path[64], text[256];
	long n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread.tid);
	do {
		nanosleep(&little, NULL);
		n = system_read_file(path, text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
	} while (!strstr(text, ") S "));
}

TEST(test_thread, set_errno, errno_is_kept)
{
	static void *tls[64];
	char *stack = map_anywhere(STACK_SIZE);
	const struct timespec little = { 0, 1000000 };
	static struct system_thread known = { 1, 0 };
	sigset_t before, after;
	uint64_t signals;

	tls[0] = tls;
	sigprocmask(SIG_SETMASK, NULL, &before);
	signals = system_signals_block();
	assert_int_equal(system_thread_start(stack, STACK_SIZE, tls, run,
					     (void *)77, &known),
			 0);
	assert_true(atomic_load(&known.tid) != 0);
	system_signals_restore(signals);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (unsigned i = 1; i < 64; i++)
		assert_int_equal(sigismember(&before, (int)i),
				 sigismember(&after, (int)i));
	while (!atomic_load(&thread.started))
		nanosleep(&little, NULL);
	assert_int_equal(atomic_load(&thread.started), 77);
	assert_ptr_equal(thread.tls, tls);
	assert_int_not_equal(thread.tid, getpid());
	assert_int_equal(thread.tid, atomic_load(&known.tid));
	assert_int_equal(atomic_load(&known.alive), 1);
	assert_true(system_thread_lives(thread.tid));
	assert_true(system_same_capabilities(thread.tid));
	assert_in_range((size_t)thread.stack, (size_t)stack,
			(size_t)stack + STACK_SIZE);
	assert_int_equal(thread.misaligned, 0);
	/* SIGKILL and SIGSTOP cannot be blocked. */
	assert_int_equal(thread.blocked, ~(bits_one(8) | bits_one(18)));
	await_sleep();
	assert_int_equal(atomic_load(&thread.ended), 0);
	atomic_store(&thread.word, 1);
	system_wake(&thread.word);
	while (atomic_load(&known.alive))
		system_sleep_shared(&known.alive, 1, 1000);
	assert_int_equal(atomic_load(&thread.ended), 1);
	while (system_thread_lives(thread.tid))
		system_nap(20);
}

/* The word that the kernel clears at a thread's end ends a sleep, and the one
 * wake-up that it makes reaches who joins that thread, too. */
static struct {
	_Atomic(uint32_t) *word;
	_Atomic(uint32_t) tid, leave;
} watched;

static void *watched_run(void *arg)
{
	uint32_t tid = (uint32_t)system_gettid();

	watched.word = system_tid_word((int)tid);
	atomic_store(&watched.tid, tid);
	while (!atomic_load(&watched.leave))
		system_sleep_shared(&watched.leave, 0, 1000);
	return arg;
}

static void *sleep_until_it_ends(void *arg)
{
	struct system_watch watch = { watched.word,
				      atomic_load(&watched.tid) };
	static _Atomic(uint32_t) own;

	(void)arg;
	return system_sleep(&own, 0, 60000, &watch) ? NULL : &own;
}

TEST(test_watch, set_errno, errno_is_kept)
{
	pthread_t thread_id, sleeper;
	void *saw;

	pthread_create(&thread_id, NULL, watched_run, NULL);
	while (!atomic_load(&watched.tid))
		system_nap(100);
	if (!watched.word)
		skip();
	assert_true(system_thread_runs((int)atomic_load(&watched.tid)));
	pthread_create(&sleeper, NULL, sleep_until_it_ends, NULL);
	system_nap(50000);
	atomic_store(&watched.leave, 1);
	pthread_join(thread_id, NULL);
	pthread_join(sleeper, &saw);
	assert_non_null(saw);
	assert_false(system_thread_runs((int)atomic_load(&watched.tid)));
}

/* The vDSO's clock is the kernel's. */
TEST(test_clock, set_errno, errno_is_kept)
{
	vdso_find_clock();
	assert_now_is_now();
	if (getauxval(AT_SYSINFO_EHDR))
		assert_non_null(sealed.at.clock);
}

/* A small shared object, as far as a vDSO is read, with one name. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr parts[2];
	Elf64_Dyn dynamic[4];
	Elf64_Sym symbols[2];
	uint32_t hash[2];
	char names[8];
};

/* Its addresses count from its first byte, or (fixed) from 0. */
static void image_make(struct image *image, bool fixed)
{
	uintptr_t at = fixed ? (uintptr_t)image : 0;

	*image = (struct image){
		.head = { .e_ident = ELFMAG "\2",
			  .e_phoff = offsetof(struct image, parts),
			  .e_phnum = 2 },
		.parts = { { .p_type = PT_LOAD, .p_vaddr = at },
			   { .p_type = PT_DYNAMIC,
			     .p_offset = offsetof(struct image, dynamic) } },
		.dynamic = { { DT_STRTAB,
			       { at + offsetof(struct image, names) } },
			     { DT_SYMTAB,
			       { at + offsetof(struct image, symbols) } },
			     { DT_HASH,
			       { at + offsetof(struct image, hash) } } },
		.symbols = { { .st_shndx = SHN_UNDEF },
			     { .st_name = 1,
			       .st_shndx = 1,
			       .st_value = at + sizeof(*image) } },
		.hash = { 0, 2 },
		.names = "\0clock",
	};
}

/* The kernel's counts from its first byte, an emulator's may be fixed up. */
TEST(test_vdso, set_errno, errno_is_kept)
{
	struct image images[2];
	const char *at = (const char *)images;

	for (int fixed = 0; fixed < 2; fixed++) {
		image_make(images, fixed);
		assert_ptr_equal(vdso_find(at, "clock"), images + 1);
		assert_null(vdso_find(at, "cloc"));
	}
	images[0].head.e_phnum = 1;
	assert_null(vdso_find(at, "clock"));
	images[0].head.e_ident[0] = 0;
	assert_null(vdso_find(at, "clock"));
	assert_null(vdso_find(NULL, "clock"));
}

/* In a sandbox no membarrier is tried, and in strict mode no madvise. */
static void sandboxed(void)
{
	char *addr = map_anywhere(MIB);

	sandbox_begin();
	if (system_rseq_fence() != -EACCES || system_purge(addr, MIB))
		_exit(1);
	sandbox_end(0);
	if (sandbox_known())
		_exit(1);
	sandbox_begin();
	sandbox_end(SANDBOX_STRICT);
	if (!sandbox_strict() || system_purge(addr, MIB) != -EPERM ||
	    system_rseq_fence() != -EACCES)
		_exit(1);
}

TEST(test_sandbox, set_errno, errno_is_kept)
{
	assert_int_equal(run_in_child(sandboxed), 0);
}

static void forbid_threads(void)
{
	char *stack = map_anywhere(STACK_SIZE);
	static struct system_thread known;

	/* A bad stack end is refused before anything runs: CLONE_SETTLS with
	 * a thread pointer outside of user space is -EPERM on x86-64. */
	if (system_thread_start(stack, STACK_SIZE, (void *)-4096, run, NULL,
				&known) != -EPERM)
		_exit(1);
}

TEST(test_thread_refused, set_errno, errno_is_kept)
{
#if defined(__x86_64__)
	assert_int_equal(run_in_child(forbid_threads), 0);
#else
	(void)forbid_threads;
	skip();
#endif
}

TEST(test_sleep_returns, set_errno, errno_is_kept)
{
	static _Atomic(uint32_t) word = 5;

	system_sleep(&word, 4, 60000, NULL); /* differs: no sleep */
	system_sleep(&word, 5, 1, NULL); /* times out */
	system_wake(&word);
}

int main(void)
{
	if (run_in_child(page_size_without_libc))
		return 1;
	return tests_run(NULL, NULL);
}
