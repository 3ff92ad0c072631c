/* modes: all no-qemu */
/* timeout: 240 */
/* guarded blocks are blocks: sizes, alignment, content, in threads, handlers
 * and children; at which rate, and at how many system calls */
#include "expect.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>

#define ALL "guard=1,profile_interval=1"
#define SIZE ((size_t)100)
#define NR_THREADS 4

static struct child child;

static bool is_guarded(void *p, size_t size)
{
	return malloc_usable_size(p) == size;
}

/* Sizes that no class has. */
static void role_blocks(void)
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
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		must(pattern_holds(kept[i], SIZE, i));
		free(kept[i]);
	}
}

/* The kernel closes no page that the program has locked: what was there before
 * is gone all the same. */
static void role_locked(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		char *p = malloc(SIZE);

		must(!mlock(p, SIZE));
		memset(p, 1, SIZE);
		free(p);
		if (i % 4)
			continue;
		p = calloc(1, SIZE);
		must(is_guarded(p, SIZE) && is_zero(p, SIZE));
		free(p);
	}
}

static void role_realloc(void)
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

/* One in ten, and no profile is written. */
static void role_rate(void)
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
	uint64_t state = (uintptr_t)arg;
	char *kept[64] = { 0 };

	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = (unsigned)(random_next(&state) % 64);
		size_t size = 50 + random_next(&state) % 3000;

		must(!kept[at] || pattern_holds(kept[at], 50, at));
		if (i % 3)
			free(kept[at]);
		kept[at] = i % 3 ? malloc(size) : realloc(kept[at], size);
		must(kept[at]);
		pattern_fill(kept[at], 50, at);
	}
	for (unsigned i = 0; i < 64; i++)
		free(kept[i]);
	return NULL;
}

static void role_threads(void)
{
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	pthread_t threads[NR_THREADS];
	pid_t pid;

	signal(SIGALRM, on_timer);
	setitimer(ITIMER_REAL, &every, NULL);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		must(!pthread_create(&threads[i], NULL, churn,
				     (void *)(i + 1)));
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	pid = fork();
	if (!pid) {
		churn((void *)9);
		_exit(0);
	}
	must(exited_with_zero(pid));
}

static void child_check(const char *role, const char *conf)
{
	child = (struct child){ .role = role, .conf = conf };
	child_run(&child);
	assert_true(child_succeeded(&child));
	assert_string_equal(child.err, "");
}

TEST(test_blocks)
{
	need_lane();
	child_check("blocks", ALL);
	child_check("locked", ALL);
	child_check("locked", ALL ",checks=full");
	child_check("realloc", ALL);
	child_check("threads", ALL);
	child_check("threads", "guard=3,profile_interval=3000,checks=fast");
	child_check("threads", ALL ",checks=full");
	child_check("rate", "guard=10,profile_interval=1,guard_slots=4");
}

/* System calls */

#define NR_PAIRS 1000

static void role_pairs(void)
{
	must(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
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

TEST(test_two_system_calls_a_sample)
{
	int status;
	unsigned n;
	pid_t pid;

	need_lane();
	pid = fork();
	if (!pid) {
		child_set_conf(ALL);
		execl("/proc/self/exe", "api_guarded_blocks", "pairs",
		      (char *)NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	while (WSTOPSIG(status) != SIGSTOP) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	}
	n = stops_of(pid) / 2;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (n > 2 * NR_PAIRS + 50)
		fprintf(stderr, "%u calls for %u samples\n", n, NR_PAIRS);
	assert_true(n >= 2 * NR_PAIRS && n <= 2 * NR_PAIRS + 50);
}

static const struct role roles[] = {
	{ "blocks", role_blocks },
	{ "locked", role_locked },
	{ "realloc", role_realloc },
	{ "rate", role_rate },
	{ "threads", role_threads },
	{ "pairs", role_pairs },
};

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
