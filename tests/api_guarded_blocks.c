/* modes: all no-qemu */
/* timeout: 240 */
/* guarded blocks are blocks: sizes, alignment, content, in threads, handlers
 * and children; at which rate, and at how many system calls */
#include "expect.h"

#include <sys/ptrace.h>
#include <sys/time.h>

#define ALL "guard=1,profile_interval=1"
#define SIZE ((size_t)100)
#define NR_THREADS 4

static bool is_guarded(void *p, size_t size)
{
	return malloc_usable_size(p) == size;
}

/* Sizes that no class has. */
TEST_ROLE(blocks, ALL)
{
	static const size_t sizes[] = { 1, 15, 17, 100, 1000, 4095, 4096 };
	void *kept[300];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *p = malloc(sizes[i]), *q = calloc(1, sizes[i]);

		must(is_guarded(p, sizes[i]) && is_aligned(p, 16));
		must(is_guarded(q, sizes[i]) && is_zero(q, sizes[i]));
		memset(p, 1, sizes[i]);
		free(p);
		free(q);
		must(!posix_memalign((void **)&p, 256, sizes[i]));
		must(is_guarded(p, sizes[i]) && is_aligned(p, 256));
		free(p);
	}
	kept[0] = malloc(5001);
	must(!is_guarded(kept[0], 5001));
	free(kept[0]);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		kept[i] = malloc(SIZE);
		must(kept[i] && is_guarded(kept[i], SIZE) == (i < 128));
		pattern_fill(kept[i], SIZE, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		pattern_free(kept[i], SIZE, i);
}

/* The kernel closes no page that the program has locked: what was there before
 * is gone all the same. For as many pages as it may lock. */
TEST_ROLE(locked, ALL, ALL ",checks=full")
{
	for (unsigned i = 0; i < 1000; i++) {
		char *p = malloc(SIZE);
		bool is_locked = !mlock(p, SIZE);

		must(is_locked || errno == ENOMEM || errno == EPERM);
		memset(p, 1, SIZE);
		free(p);
		if (!is_locked)
			break;
		if (i % 4)
			continue;
		p = calloc(1, SIZE);
		must(is_guarded(p, SIZE) && is_zero(p, SIZE));
		free(p);
	}
}

TEST_ROLE(realloc, ALL)
{
	char *p = malloc(SIZE);

	must(is_guarded(p, SIZE));
	pattern_fill(p, SIZE, 1);
	for (size_t n = SIZE + 1; n < 4000; n += 101) {
		p = realloc(p, n);
		must(p && !is_guarded(p, n) && pattern_holds(p, 50, 1));
	}
	free(p);
	p = realloc(malloc(2000), 10);
	must(p);
	free(p);
}

/* Without memory for another block it stays, as small as it was asked to be. */
TEST_ROLE(shrunk, ALL ",limit_hard=4m,limit_report=0,checks=fast")
{
	char *p = malloc(2000);

	must(is_guarded(p, 2000));
	pattern_fill(p, 10, 1);
	while (opaque(malloc(10)))
		;
	must(realloc(p, 10) == p);
	must(is_guarded(p, 10) && pattern_holds(p, 10, 1));
	free(p);
}

/* One in ten, and no profile is written. */
TEST_ROLE(rate, "guard=10,profile_interval=1,guard_slots=4")
{
	unsigned nr = 0;

	for (unsigned i = 0; i < 10000; i++) {
		char *p = malloc(SIZE);

		nr += is_guarded(p, SIZE);
		free(p);
	}
	if (nr < 800 || nr > 1200)
		fprintf(stderr, "%u of 10000\n", nr);
	must(nr >= 800 && nr <= 1200);
}

static void on_timer(int signal)
{
	(void)signal;
	free(opaque(malloc(SIZE)));
}

static void *churn(void *arg)
{
	blocks_churn((uintptr_t)arg, 20000, MIB);
	return NULL;
}

TEST_ROLE(threads, ALL, "guard=3,profile_interval=3000,checks=fast",
	  ALL ",checks=full")
{
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };

	signal(SIGALRM, on_timer);
	setitimer(ITIMER_REAL, &every, NULL);
	threads_run(NR_THREADS, churn);
	child_passes(churn((void *)9));
}

/* System calls */

#define NR_PAIRS 1000
#define ADVICE_GUARD 102 /* MADV_GUARD_INSTALL */
#define NOT_TRACED 77

ROLE(pairs)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(errno == EPERM ? NOT_TRACED : 1);
	for (unsigned i = 0; i < 3; i++)
		free(opaque(malloc(SIZE)));
	raise(SIGSTOP);
	for (unsigned i = 0; i < NR_PAIRS; i++)
		free(opaque(malloc(SIZE)));
	raise(SIGSTOP);
}

/* Entries and exits of system calls up to the next stop by SIGSTOP. */
static unsigned stops_of(pid_t pid)
{
	int status = 0;
	unsigned n = 0;

	for (;; n++) {
		must(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			return n;
	}
}

/* One that opens the page and one that closes it; twice as many where the
 * kernel has no guards within a mapping (before Linux 6.13): it is split. */
static unsigned calls_of_a_sample(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result = madvise(at, page, ADVICE_GUARD);

	munmap(at, page);
	return result ? 4 : 2;
}

/* Where a filter or another tracer lets none watch nothing is known. */
TEST_LANE(test_few_system_calls_a_sample)
{
	unsigned n, least = calls_of_a_sample() * NR_PAIRS;
	int status;
	pid_t pid = fork();

	if (!pid) {
		child_set_conf(ALL);
		execl("/proc/self/exe", "api_guarded_blocks", "pairs",
		      (char *)NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_TRACED)
		skip();
	must(WIFSTOPPED(status));
	while (WSTOPSIG(status) != SIGSTOP) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	}
	n = stops_of(pid) / 2;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (n > least + 50)
		fprintf(stderr, "%u calls for %u samples\n", n, NR_PAIRS);
	assert_in_range(n, least, least + 50);
}

API_MAIN(NULL, NULL)
