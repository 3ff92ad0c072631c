/* modes: all no-qemu */
/* fork, vfork, raw clone, posix_spawn: the child has a working heap */
#include "expect.h"

#include <sched.h>
#include <spawn.h>

#define NR_BUSY 2

static int stop;

static void *busy(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		blocks_churn((uintptr_t)arg, 500, 60000);
	return NULL;
}

static pthread_t busy_threads[NR_BUSY];

FIXTURE(start_busy)
{
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	threads_start(busy_threads, NR_BUSY, busy);
}

FIXTURE(end_busy)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	threads_join(busy_threads, NR_BUSY);
}

/* Blocks from before the fork, to be read, grown and freed on both sides. */
struct inherited {
	char *blocks[100];
};

static void inherited_take(struct inherited *inherited)
{
	for (size_t i = 0; i < 100; i++) {
		inherited->blocks[i] = malloc(i * 30 + 1);
		pattern_fill(inherited->blocks[i], i * 30 + 1, i);
	}
}

static void inherited_give(struct inherited *inherited)
{
	for (size_t i = 0; i < 100; i++)
		pattern_free(inherited->blocks[i], i * 30 + 1, i);
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0, 0, 0, 0);
}

static void check_forks(pid_t (*make_child)(void), int n)
{
	for (int i = 0; i < n; i++) {
		struct inherited inherited;
		pid_t pid;

		inherited_take(&inherited);
		pid = make_child();
		must(pid >= 0);
		if (pid == 0) {
			inherited_give(&inherited);
			blocks_churn((uint64_t)i, 2000, 60000);
			_exit(0);
		}
		inherited_give(&inherited);
		assert_true(exited_with_zero(pid));
	}
}

TEST(test_fork)
{
	check_forks(fork, 10);
}
TEST_AGAIN(test_fork, start_busy, end_busy)

TEST_LANE(test_plain_fork, start_busy, end_busy)
{
	check_forks(_Fork, 10);
}

TEST_LANE(test_raw_clone)
{
	check_forks(raw_clone, 10);
}
TEST_AGAIN(test_raw_clone, start_busy, end_busy)

static void *fork_in_thread(void *arg)
{
	check_forks((pid_t(*)(void))arg, 5);
	return NULL;
}

/* Several threads fork at once. */
TEST(test_fork_in_threads, start_busy, end_busy)
{
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, fork_in_thread,
				     (void *)fork));
	threads_join(threads, ARRAY_SIZE(threads));
}

static void *in_child_thread(void *arg)
{
	blocks_churn((uintptr_t)arg, 1000, 60000);
	return arg;
}

static void child_lives(void)
{
	threads_run(4, in_child_thread);
	child_passes(blocks_churn(3, 3000, 60000));
}

/* The child is a program like any other: threads, and children again. */
TEST(test_child_lives, start_busy, end_busy)
{
	child_passes(child_lives());
}

static volatile sig_atomic_t nr_forks;
static volatile sig_atomic_t is_child;
static volatile sig_atomic_t may_return;

/* Odd children end here; even ones return into what was interrupted, but not
 * into a wait for a thread, which a child does not have. */
static void fork_handler(int signal)
{
	int saved = errno;
	pid_t pid;

	(void)signal;
	if (is_child)
		return;
	pid = _Fork();
	must(pid >= 0);
	if (pid == 0) {
		is_child = 1;
		blocks_churn(9, 300, 60000);
		if (nr_forks % 2 || !may_return)
			_exit(0);
	} else {
		must(exited_with_zero(pid));
		nr_forks++;
	}
	errno = saved;
}

static void *send_signals(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		sig_atomic_t seen = nr_forks;

		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		while (nr_forks == seen &&
		       !__atomic_load_n(&stop, __ATOMIC_RELAXED))
			sched_yield();
	}
	return NULL;
}

/* Fork while malloc or free is interrupted. A child may come out at the loop's
 * end, where it would wait for a thread that it does not have. */
TEST_LANE(test_fork_in_handler, start_busy, end_busy)
{
	struct sigaction action = { .sa_handler = fork_handler,
				    .sa_flags = SA_RESTART };
	pthread_t self = pthread_self(), sender;
	struct inherited inherited;

	must(sigaction(SIGUSR1, &action, NULL) == 0);
	must(!pthread_create(&sender, NULL, send_signals, &self));
	may_return = 1;
	while (nr_forks < 30) {
		inherited_take(&inherited);
		blocks_churn(1, 100, 60000);
		inherited_give(&inherited);
		if (is_child) {
			blocks_churn(2, 2000, 60000);
			_exit(0);
		}
	}
	may_return = 0;
	if (is_child)
		_exit(0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(sender, NULL);
	signal(SIGUSR1, SIG_IGN);
}

/* A vfork child runs on its parent's memory, without rseq of its own. */
static void vfork_and(const char *program, bool allocate)
{
	char *volatile blocks[1000];
	pid_t pid = vfork();

	must(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; allocate && i < ARRAY_SIZE(blocks); i++) {
			blocks[i] = malloc(i * 3 + 1);
			if (!blocks[i])
				_exit(1);
			pattern_fill(blocks[i], i * 3 + 1, i);
			if (i >= 500)
				free(blocks[i - 500]);
		}
		if (program)
			execl(program, program, (char *)NULL);
		_exit(program ? 2 : 0);
	}
	must(exited_with_zero(pid));
	for (size_t i = 500; allocate && i < ARRAY_SIZE(blocks); i++)
		pattern_free(blocks[i], i * 3 + 1, i);
}

TEST(test_vfork_exec, start_busy, end_busy)
{
	for (int i = 0; i < 8; i++)
		vfork_and("/bin/true", false);
}

TEST_LANE(test_vfork_allocates)
{
	for (int i = 0; i < 20; i++)
		vfork_and(NULL, true);
	for (int i = 0; i < 10; i++)
		vfork_and("/bin/true", true);
}
TEST_AGAIN(test_vfork_allocates, start_busy, end_busy)

static void *vfork_in_thread(void *arg)
{
	for (int i = 0; i < 12; i++)
		vfork_and(NULL, true);
	return arg;
}

/* Children of several threads at once; after them the CPU caches serve as
 * before. */
TEST_LANE(test_vfork_in_threads)
{
	uint64_t direct;

	threads_run(4, vfork_in_thread);
	if (is_direct())
		return;
	direct = stats_now().nr_direct;
	for (int i = 0; i < 10000; i++)
		free(opaque(malloc(opaque((size_t)100))));
	assert_true(stats_now().nr_direct - direct < 5000);
}

struct shared {
	char *blocks[1000];
};

static int clone_child(void *arg)
{
	struct shared *shared = arg;

	for (size_t i = 0; i < ARRAY_SIZE(shared->blocks); i++) {
		shared->blocks[i] = malloc(i * 3 + 1);
		if (!shared->blocks[i])
			return 1;
		pattern_fill(shared->blocks[i], i * 3 + 1, i);
		if (i >= 500)
			free(shared->blocks[i - 500]);
	}
	return 0;
}

/* Like vfork, on a stack of its own. */
TEST_LANE(test_clone_vm, start_busy, end_busy)
{
	size_t size = 256 << 10;
	char *stack = malloc(size);

	for (int n = 0; n < 10; n++) {
		static struct shared shared;
		pid_t pid = clone(clone_child, stack + size,
				  CLONE_VM | CLONE_VFORK | SIGCHLD, &shared);

		must(pid >= 0);
		assert_true(exited_with_zero(pid));
		for (size_t i = 500; i < ARRAY_SIZE(shared.blocks); i++)
			pattern_free(shared.blocks[i], i * 3 + 1, i);
	}
	free(stack);
}

extern char **environ;

TEST(test_spawn, start_busy, end_busy)
{
	char *const arguments[] = { (char *)"true", NULL };
	char text[64];

	for (int i = 0; i < 5; i++) {
		pid_t pid;
		FILE *f;

		must(!posix_spawn(&pid, "/bin/true", NULL, NULL, arguments,
				  environ));
		assert_true(exited_with_zero(pid));
		assert_int_equal(system("exit 7"), 7 << 8);
		f = popen("echo hello", "r");
		assert_non_null(f);
		assert_non_null(fgets(text, sizeof(text), f));
		assert_string_equal(text, "hello\n");
		assert_int_equal(pclose(f), 0);
	}
}

API_MAIN(NULL, NULL)
