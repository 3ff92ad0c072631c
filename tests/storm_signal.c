/* storm_signal: handlers that allocate while they interrupt the allocator
 *
 * Three signals, which interrupt each other too: a timer of each thread, a
 * thread that sends to all others without a pause, and raise(). The handlers
 * allocate, realloc and free, and keep blocks from one signal to the next.
 */
#include "storm.h"
#include <signal.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define NR_SIGNALS 3
#define NR_KEPT 4

/* A thread's handlers of one signal; that signal is blocked meanwhile, so
 * each of these has one user at a time. */
static _Thread_local struct handler_state {
	unsigned nr_calls;
	struct block kept[NR_KEPT];
} states[NR_SIGNALS];

static _Atomic(pid_t) *tids;
static atomic_uint nr_done;
static atomic_ulong nr_handled;

static int signal_nth(unsigned n)
{
	return n == 0 ? SIGRTMIN : n == 1 ? SIGUSR1 : SIGUSR2;
}

static unsigned signal_index(int sig)
{
	return sig == SIGRTMIN ? 0 : sig == SIGUSR1 ? 1 : 2;
}

static void handler(int sig)
{
	unsigned index = signal_index(sig);
	struct handler_state *state = &states[index];
	unsigned n = state->nr_calls++;
	struct block *b = &state->kept[n / 2 % NR_KEPT];
	size_t size = 1 + random_mix(n) % (n % 128 ? 3000 : 100000);
	int saved = errno;

	if (!b->at && n % 3)
		must(block_malloc(b, size, 1000 + index));
	else if (!b->at)
		must(block_calloc(b, size, 2000 + index));
	else if (n % 3)
		block_free(b);
	else
		must(block_realloc(b, size));
	errno = saved;
}

static timer_t timer_begin(void)
{
	struct itimerspec every = { { 0, 70000 }, { 0, 70000 } };
	struct sigevent event = { 0 };
	timer_t timer;

	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGRTMIN;
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	must(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(!timer_settime(timer, 0, &every, NULL));
	return timer;
}

/* From here on no handler runs in this thread. */
static void signals_end(timer_t timer)
{
	sigset_t all;

	must(!timer_delete(timer));
	sigfillset(&all);
	must(!pthread_sigmask(SIG_BLOCK, &all, NULL));
	for (unsigned i = 0; i < NR_SIGNALS; i++) {
		atomic_fetch_add(&nr_handled, states[i].nr_calls);
		for (unsigned k = 0; k < NR_KEPT; k++)
			block_free(&states[i].kept[k]);
	}
}

static void send_to_all(void)
{
	pid_t tid;

	while (atomic_load(&nr_done) < storm.threads) {
		for (unsigned i = 0; i < storm.threads; i++) {
			tid = atomic_load(&tids[i]);
			if (tid)
				syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		}
		sched_yield();
	}
}

static void worker(unsigned index)
{
	timer_t timer = timer_begin();
	unsigned i, nr_raised = 0;
	struct live live;

	live_init(&live, index, 64 * KIB, 64, NULL);
	for (i = 0; i < storm.rounds; i++) {
		live_step(&live);
		if (i % 16)
			continue;
		must(!raise(SIGUSR2));
		nr_raised++;
	}
	live_fini(&live);
	must(states[2].nr_calls == nr_raised);
	signals_end(timer);
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;

	if (index == storm.threads) {
		send_to_all();
		return NULL;
	}
	atomic_store(&tids[index], (pid_t)syscall(SYS_gettid));
	worker(index);
	/* The tid stays valid until nobody sends any more. */
	atomic_fetch_add(&nr_done, 1);
	while (atomic_load(&nr_done) < storm.threads)
		sched_yield();
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	storm_start(argc, argv, 6, 200000);
	tids = storm_map(storm.threads * sizeof(*tids));
	must(tids);
	for (unsigned i = 0; i < NR_SIGNALS; i++)
		must(!sigaction(signal_nth(i), &action, NULL));
	storm_parallel(storm.threads + 1, work, 256 * KIB);
	must(nr_handled >= storm.threads * (storm.rounds / 16));
	return storm_done();
}
