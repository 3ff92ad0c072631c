/* modes: all no-qemu */
/* malloc, free and realloc in signal handlers that interrupt them */
#include "expect.h"

#include <time.h>

#define NR_SIGNALS 1500

struct pool {
	char *blocks[64];
	size_t sizes[64];
	uint64_t random;
};

static struct pool handler_pool = { .random = 77 };
static volatile sig_atomic_t nr_handled;

/* One replacement in a pool; every block keeps its pattern meanwhile. */
static void pool_step(struct pool *pool)
{
	uint64_t r = random_next(&pool->random);
	size_t k = r % 64, old = pool->sizes[k];
	size_t size = (r >> 8) % (r % 32 ? 700 : 50000);
	char *p = pool->blocks[k];

	must(!p || pattern_holds(p, old, k));
	if (p && r >> 60 == 0) {
		p = realloc(p, size + 1);
		must(p &&
		     (old > 256 || pattern_holds(p, old < size ? old : 0, k)));
	} else {
		free(p);
		p = r % 7 ? malloc(size + 1) : memalign(256, size + 1);
		must(p);
	}
	pool->blocks[k] = p;
	pool->sizes[k] = size + 1;
	pattern_fill(p, size + 1, k);
}

static void pool_drop(struct pool *pool)
{
	for (size_t i = 0; i < 64; i++)
		free(pool->blocks[i]);
	memset(pool->blocks, 0, sizeof(pool->blocks));
}

static void handler(int signal)
{
	int saved = errno;

	(void)signal;
	for (int i = 0; i < 20; i++)
		pool_step(&handler_pool);
	must(errno == saved);
	nr_handled++;
}

static void handle(int signal)
{
	struct sigaction action = { .sa_handler = handler };

	action.sa_flags = SA_RESTART;
	must(sigaction(signal, &action, NULL) == 0);
	nr_handled = 0;
}

/* A timer of the thread's own interrupts wherever it is. */
TEST_LANE(test_timer)
{
	struct itimerspec often = { { 0, 100000 }, { 0, 100000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGALRM };
	struct pool pool = { .random = 5 };
	timer_t timer;

	handle(SIGALRM);
	must(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	must(timer_settime(timer, 0, &often, NULL) == 0);
	while (nr_handled < NR_SIGNALS)
		pool_step(&pool);
	must(timer_delete(timer) == 0);
	pool_drop(&pool);
	pool_drop(&handler_pool);
}

struct target {
	pid_t tid;
	int done;
};

static void *send_signals(void *arg)
{
	struct target *target = arg;

	for (int i = 0; i < NR_SIGNALS * 2; i++)
		syscall(SYS_tgkill, getpid(), target->tid, SIGUSR1);
	__atomic_store_n(&target->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A storm of signals from another CPU. */
TEST_LANE(test_storm)
{
	struct target target = { .tid = (pid_t)syscall(SYS_gettid) };
	struct pool pool = { .random = 6 };
	pthread_t sender;

	handle(SIGUSR1);
	must(!pthread_create(&sender, NULL, send_signals, &target));
	while (!__atomic_load_n(&target.done, __ATOMIC_ACQUIRE))
		pool_step(&pool);
	pthread_join(sender, NULL);
	assert_true(nr_handled > 0);
	pool_drop(&pool);
	pool_drop(&handler_pool);
}

static __thread unsigned nr_own, depth;
#define DEPTH_MOST 32 /* of handlers: a slow machine would fill the stack */

/* May interrupt itself: it works on blocks of its own. */
static void own_handler(int signal)
{
	char *blocks[8];

	(void)signal;
	nr_own++;
	if (depth >= DEPTH_MOST)
		return;
	depth++;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(nr_own % 7 * 400 + i * 8);
		must(blocks[i]);
		pattern_fill(blocks[i], i * 8, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		pattern_free(blocks[i], i * 8, i);
	depth--;
}

static void *work(void *arg)
{
	struct pool pool = { .random = (uintptr_t)arg };

	for (int i = 0; i < 40000; i++) {
		pool_step(&pool);
		if (i % 64 == 0)
			raise(SIGUSR2);
	}
	must(nr_own >= 40000 / 64);
	pool_drop(&pool);
	return NULL;
}

/* Handlers in several threads at once; nested in each other where the next
 * signal comes meanwhile. */
TEST_LANE(test_threads)
{
	struct sigaction action = { .sa_handler = own_handler,
				    .sa_flags = SA_RESTART | SA_NODEFER };
	pthread_t threads[4];

	must(sigaction(SIGUSR2, &action, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, work,
				     (void *)(i * 2 + 9)));
	for (int i = 0; i < 20000; i++)
		pthread_kill(threads[i % 4], SIGUSR2);
	threads_join(threads, ARRAY_SIZE(threads));
}

static sigjmp_buf back;
static volatile sig_atomic_t nr_jumps;

static void jump_handler(int signal)
{
	(void)signal;
	nr_jumps++;
	siglongjmp(back, 1);
}

/* A handler that never returns into the allocator loses at most the block in
 * its hands: the heap lives on. */
TEST_LANE(test_jump_away)
{
	struct itimerspec often = { { 0, 150000 }, { 0, 150000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGALRM };
	struct sigaction action = { .sa_handler = jump_handler };
	struct pool pool = { .random = 8 };
	sigset_t alarms;
	timer_t timer;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	must(sigaction(SIGALRM, &action, NULL) == 0);
	must(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	if (sigsetjmp(back, 1) == 0)
		must(timer_settime(timer, 0, &often, NULL) == 0);
	while (nr_jumps < 500)
		free(malloc(nr_jumps % 100 * 200));
	/* A jump from here leads here again; from the next line on there is
	 * none. */
	must(sigprocmask(SIG_BLOCK, &alarms, NULL) == 0);
	must(timer_delete(timer) == 0);
	for (int i = 0; i < 5000; i++)
		pool_step(&pool);
	pool_drop(&pool);
}

TEST_MAIN(NULL, NULL)
