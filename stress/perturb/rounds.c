/* rounds: the threads of a cell, and where they rest
 *
 * Workers do their steps; helpers move them, move ids, let the injections
 * wander, purge, turn the profile on and off, change the limits, tell of
 * pressure, and look. At the end of a round the workers rest in a barrier,
 * with signals blocked; then the helpers stop, too.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "rounds.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../harness/random.h"
#include "cell.h"
#include "lanemalloc.h"
#include "load.h"
#include "perturb.h"

#define WORKERS_MOST 1024

_Atomic(uint64_t) rounds_nr_steps;
_Atomic(uint64_t) rounds_hard_limit;
static _Atomic(unsigned) nr_working; /* workers that have not ended */
static _Atomic(unsigned) nr_arrived; /* of this round */
static _Atomic(unsigned) nr_stopped; /* helpers */
static _Atomic(bool) stop;           /* asks the helpers to */
static pthread_barrier_t go_on;      /* the workers and main */
static _Atomic(int) tids[WORKERS_MOST];
static pthread_t threads[WORKERS_MOST + ROUNDS_HELPERS];
static unsigned nr_threads;

static uint64_t random_nth(uint64_t stream, uint64_t n)
{
	return random_mix(cell.seed * RANDOM_STEP + (stream << 56) + n);
}

/* ---- workers ---- */

/* Out of the library, with handlers out of it, too. */
static void worker_rest(void)
{
	load_mask_signals(SIG_BLOCK);
	atomic_fetch_add(&nr_arrived, 1);
	pthread_barrier_wait(&go_on);
	load_mask_signals(SIG_UNBLOCK);
}

static void *work(void *index)
{
	uintptr_t i = (uintptr_t)index;
	unsigned n = cell.steps / cell.threads, k;

	atomic_store(&tids[i], (int)syscall(SYS_gettid));
	load_worker_start((unsigned)i);
	for (k = 1; k <= n; k++) {
		load_step();
		atomic_fetch_add(&rounds_nr_steps, 1);
		if (k * ROUNDS / n != (k - 1) * ROUNDS / n)
			worker_rest();
	}
	load_worker_end();
	atomic_fetch_sub(&nr_working, 1);
	return NULL;
}

/* ---- helpers ---- */

static void help_affinity(uint64_t random)
{
	int tid = atomic_load(&tids[random % cell.threads]);

	if (tid)
		perturb_move(tid, random >> 20);
	if ((random >> 40) % 8 == 0)
		usleep(50);
}

/* All threads on one CPU; on another one; ids that nobody has seen; and the
 * first ones again. */
static void help_late(uint64_t random)
{
	unsigned i, n = random % 3 ? 0 : cell.threads;

	for (i = 0; i < n; i++)
		if (atomic_load(&tids[i]))
			perturb_move(atomic_load(&tids[i]), random >> 10);
	perturb_set_id_shift((random >> 20) % 3 ?
				     64 * (uint32_t)((random >> 30) % 24) :
				     0);
	usleep(400);
}

static void help_focus(uint64_t random)
{
	perturb_focus(random);
	perturb_signal_one(random >> 20);
	usleep(700);
}

/* Two of them hold the drain lease in turn, also when it has expired. */
static void help_purge(uint64_t random)
{
	lanemalloc_purge();
	usleep((useconds_t)(random % 300));
}

/* Beside the report of sites, or nowhere. */
static void write_profile(const char *form)
{
	char path[256] = "/dev/null";
	int error;

	if (cell.sites)
		snprintf(path, sizeof(path), "%s.%s", cell.sites, form);
	error = lanemalloc_profile_dump(path);
	if (error && !cell_memory_is_short())
		load_fail("no file of the profile", (uint64_t)-error, 0);
}

/* Half of the time it is on, also where a round ends. */
static void help_profile(uint64_t random)
{
	static bool on;
	int error = on ? 0 : lanemalloc_profile_start();

	if (error && !cell_memory_is_short())
		load_fail("no profile", (uint64_t)-error, 0);
	usleep((useconds_t)(random % 4000));
	if ((random >> 20) % 4 == 0)
		write_profile((random >> 22) % 2 ? "heap" : "pb.gz");
	if (on)
		lanemalloc_profile_stop();
	on = !on;
}

/* At times no limit, else such that all is given back all the time, and such
 * that memory is refused. */
static void help_limit(uint64_t random)
{
	struct lanemalloc_limits limits = { 0 };

	if (random % 4)
		limits.soft_size = (random >> 10) % (64 << 20);
	if ((random >> 2) % 4 == 0)
		limits.hard_size = 1 + (random >> 36) % (64 << 20);
	if (limits.hard_size && atomic_load(&rounds_hard_limit) % 2 == 0)
		atomic_fetch_add(&rounds_hard_limit, 1);
	lanemalloc_limit(&limits, NULL, sizeof(limits));
	if (!limits.hard_size && atomic_load(&rounds_hard_limit) % 2)
		atomic_fetch_add(&rounds_hard_limit, 1);
	usleep((useconds_t)((random >> 8) % 2000));
}

/* The pipe is emptied by whoever reads it. */
static void help_press(uint64_t random)
{
	const char *number = getenv(PRESSURE);

	if (write(number ? atoi(number) : -1, "", 1) != 1)
		load_fail("no pipe", (uint64_t)errno, 0);
	usleep((useconds_t)(random % 200000));
}

/* A text may be longer than its room, and is cut there. */
static void help_look(uint64_t random)
{
	static size_t (*const texts[])(char *buf, size_t size) = {
		lanemalloc_stats_json,
		lanemalloc_stats_detail_json,
		lanemalloc_stats_prometheus,
	};
	static char text[64 << 10];
	size_t i, n;

	lanemalloc_check();
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		n = texts[i](text, sizeof(text));
		if (!n || strlen(text) != (n < sizeof(text) ? n :
						     sizeof(text) - 1))
			load_fail("statistics", n, strlen(text));
	}
	usleep((useconds_t)(random % 4000));
}

static const struct helper {
	void (*help)(uint64_t random);
	const bool *wanted; /* NULL: always */
} helpers[ROUNDS_HELPERS] = {
	{ help_affinity, &cell.affinity }, { help_late, &cell.late },
	{ help_focus, NULL },		   { help_purge, &cell.purgers },
	{ help_purge, &cell.purgers },	   { help_profile, &cell.profiles },
	{ help_limit, &cell.limits },	   { help_look, &cell.looks },
	{ help_press, &cell.pressure },
};

static void *help(void *which)
{
	const struct helper *helper = which;
	uint64_t n = 0;

	perturb_thread_start();
	while (atomic_load(&nr_working)) {
		helper->help(random_nth((uint64_t)(helper - helpers), n++));
		if (!atomic_load(&stop))
			continue;
		atomic_fetch_add(&nr_stopped, 1);
		while (atomic_load(&stop))
			usleep(200);
		atomic_fetch_sub(&nr_stopped, 1);
	}
	perturb_thread_end();
	return NULL;
}

/* ---- for cell.c ---- */

void rounds_spawn(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	errno = pthread_attr_init(&attr);
	if (!errno)
		errno = pthread_attr_setstacksize(&attr, ROUNDS_STACK_SIZE);
	if (!errno)
		errno = pthread_create(thread, &attr, run, arg);
	if (errno) {
		fprintf(stderr, "cell: no thread: %s\n", strerror(errno));
		exit(3);
	}
	pthread_attr_destroy(&attr);
}

void rounds_start(void)
{
	uintptr_t i;

	pthread_barrier_init(&go_on, NULL, cell.threads + 1);
	atomic_store(&nr_working, cell.threads);
	for (i = 0; i < cell.threads; i++)
		rounds_spawn(&threads[nr_threads++], work, (void *)i);
	for (i = 0; i < ROUNDS_HELPERS; i++)
		if (!helpers[i].wanted || *helpers[i].wanted)
			rounds_spawn(&threads[nr_threads++], help,
				     (void *)&helpers[i]);
}

bool rounds_rest(void)
{
	return atomic_load(&nr_arrived) == cell.threads;
}

void rounds_stop_helpers(void)
{
	atomic_store(&stop, true);
	while (atomic_load(&nr_stopped) < nr_threads - cell.threads)
		usleep(200);
}

void rounds_go_on(void)
{
	atomic_store(&nr_arrived, 0);
	atomic_store(&stop, false);
	/* Whom the next stop would still count. */
	while (atomic_load(&nr_stopped))
		usleep(200);
	pthread_barrier_wait(&go_on);
}

void rounds_join(void)
{
	unsigned i;

	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&go_on);
}
