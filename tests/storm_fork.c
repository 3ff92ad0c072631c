/* storm_fork: forks while other threads are inside malloc
 *
 * Some threads allocate without a pause; others fork, by libc's fork(), by a
 * raw clone that no atfork handler sees, and by a raw clone in a handler that
 * interrupts an allocating thread, where the child either works within the
 * handler or returns into the interrupted call. Each child verifies and frees
 * what it inherited, allocates, starts a thread, sometimes forks again, and
 * exits with 0. Every child is reaped.
 *
 * A raw clone copies libc's locks as they are. glibc's child takes none that
 * another thread holds in here. In musl's (1.2.3) pthread_create() takes the
 * lock of the list of threads, which another thread's fork() or
 * pthread_create() holds: the child then waits in __tl_lock() for ever, in a
 * lock word with the number of the holder, a thread of its parent. So with
 * another libc than glibc one forks while nobody else forks or creates a
 * thread.
 */
#include "storm.h"
#include <signal.h>
#include <sys/prctl.h>

#define NR_FORKERS 2
#define NR_INHERITED 64

static struct block inherited[NR_INHERITED];
static struct ring ring;
static pthread_barrier_t barrier;
static _Atomic(pid_t) *tids;
static atomic_uint nr_forking = NR_FORKERS;
static atomic_uint nr_handler_forks;
static _Thread_local volatile bool is_child;

#ifdef __GLIBC__
static void fork_alone(void)
{
}

static void fork_over(void)
{
}

static void creation_is_over(void)
{
}
#else
static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;

static void fork_alone(void)
{
	pthread_mutex_lock(&alone);
}

static void fork_over(void)
{
	pthread_mutex_unlock(&alone);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Who creates a thread waits until the main thread's last creation is over. */
static void creation_is_over(void)
{
	pthread_t thread;

	fork_alone();
	storm_spawn(&thread, nothing, 0, 128 * KIB);
	must(!pthread_join(thread, NULL));
	fork_over();
}
#endif

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void steps(uint64_t owner, unsigned n)
{
	struct live live;

	live_init(&live, owner, 64 * KIB, 32, &ring);
	while (n--)
		live_step(&live);
	live_fini(&live);
}

static void *child_thread(void *arg)
{
	steps((uintptr_t)arg, 50);
	return NULL;
}

static void child_begin(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < NR_INHERITED; i++)
		block_free(&inherited[i]);
	steps((uint64_t)getpid(), 100);
}

/* Where the child may use all of libc. live: the forking thread's, whole. */
_Noreturn static void child_run(struct live *live, bool fork_again)
{
	pthread_t thread;
	pid_t pid;

	child_begin();
	live_fini(live);
	storm_spawn(&thread, child_thread, 5000, 128 * KIB);
	if (fork_again) {
		pid = raw_fork();
		must(pid >= 0);
		if (!pid) {
			steps(6000, 50);
			_exit(CHILD_DONE);
		}
		storm_reap(pid);
	}
	must(!pthread_join(thread, NULL));
	_exit(CHILD_DONE);
}

/* Interrupts a worker anywhere. Its live set is in the middle of a step, so
 * the child leaves that alone, or returns and completes the step. */
static void fork_in_handler(int sig)
{
	int saved = errno;
	pid_t pid = raw_fork();

	(void)sig;
	must(pid >= 0);
	if (!pid) {
		is_child = true;
		if (atomic_load(&nr_handler_forks) % 2)
			return;
		child_begin();
		_exit(CHILD_DONE);
	}
	storm_reap(pid);
	atomic_fetch_add(&nr_handler_forks, 1);
	errno = saved;
}

static void worker(unsigned index)
{
	struct live live;

	live_init(&live, index, 64 * KIB, 64, &ring);
	atomic_store(&tids[index], (pid_t)syscall(SYS_gettid));
	pthread_barrier_wait(&barrier);
	while (atomic_load(&nr_forking)) {
		live_step(&live);
		if (is_child)
			child_run(&live, false);
	}
	live_fini(&live);
	/* Threads end when nobody forks: a raw clone would copy libc's own
	 * locks of thread creation in the locked state. */
	pthread_barrier_wait(&barrier);
}

/* One handler fork at a time, so that the count tells when it is over. */
static void fork_by_signal(struct rng *rng)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	unsigned before;
	pid_t tid;

	pthread_mutex_lock(&mutex);
	before = atomic_load(&nr_handler_forks);
	tid = atomic_load(&tids[rng_below(rng, storm.threads)]);
	must(!syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
	while (atomic_load(&nr_handler_forks) == before)
		sched_yield();
	pthread_mutex_unlock(&mutex);
}

static void forker(unsigned index)
{
	struct live live;
	pid_t pid;

	live_init(&live, index, 16 * KIB, 64, NULL);
	pthread_barrier_wait(&barrier);
	creation_is_over();
	for (unsigned i = 0; i < storm.rounds; i++) {
		for (unsigned n = 0; n < 50; n++)
			live_step(&live);
		fork_alone();
		if (i % 4 == 3) {
			fork_by_signal(&live.rng);
			fork_over();
			continue;
		}
		pid = i % 4 == 1 ? fork() : raw_fork();
		if (pid)
			fork_over();
		must(pid >= 0);
		if (!pid)
			child_run(&live, i % 8 == 0);
		storm_reap(pid);
	}
	live_fini(&live);
	atomic_fetch_sub(&nr_forking, 1);
	pthread_barrier_wait(&barrier);
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;

	if (index < storm.threads)
		worker(index);
	else
		forker(index);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = fork_in_handler,
				    .sa_flags = SA_RESTART };

	storm_start(argc, argv, 4, 48);
	tids = storm_map(storm.threads * sizeof(*tids));
	must(tids && !sigaction(SIGUSR1, &action, NULL));
	must(!pthread_barrier_init(&barrier, NULL, storm.threads + NR_FORKERS));
	ring_init(&ring, 128, false);
	for (unsigned i = 0; i < NR_INHERITED; i++)
		must(block_malloc(&inherited[i], 1 + i * i * 20, 9000));
	storm_parallel(storm.threads + NR_FORKERS, work, 256 * KIB);
	for (unsigned i = 0; i < NR_INHERITED; i++)
		block_free(&inherited[i]);
	ring_drain(&ring);
	must(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	must(nr_handler_forks == storm.rounds / 4 * NR_FORKERS);
	return storm_done();
}
