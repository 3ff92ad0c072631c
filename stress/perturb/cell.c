/* cell: one process of a matrix; the driver starts it with a configuration
 *
 * The circumstances that start-up must see are made by a first stage, which
 * then executes the program anew: a filter that refuses membarrier, an
 * affinity that hides all CPUs but one, a limit of address space, a pipe that
 * tells of pressure.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cell.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../harness/cpus.h"
#include "../harness/options.h"
#include "lanemalloc.h"
#include "load.h"
#include "perturb.h"
#include "rounds.h"

#define STAGE "PERTURB_CELL_STAGE"
#define PROGRESS_TICKS 10000 /* of a millisecond */
#define STACKS_RESIDENT ((uint64_t)48 << 10)
#define RSS_SLACK ((uint64_t)16 << 20)

struct cell cell = { .threads = 16, .steps = 20000, .every = 64, .seed = 1 };

#define NUMBER(name, most, help) \
	OPTION_NUMBER(#name, &cell.name, 0, most, help)
#define SWITCH(name, help) OPTION_SWITCH(#name, &cell.name, help)

static const struct option_row options[] = {
	NUMBER(threads, 1000, "how many work"),
	NUMBER(steps, 1000000000, "how many they do together"),
	NUMBER(every, 1 << 20, "sites between two injections: 2^n, or 0"),
	NUMBER(limit, 1 << 20, "MiB of address space in all; 0: no limit"),
	NUMBER(hasty, 1000000000, "how much faster the library's clock runs"),
	NUMBER(seed, UINT64_MAX, "of all random numbers"),
	SWITCH(affinity, "threads are moved over the CPUs"),
	SWITCH(late, "CPUs appear late, and go away"),
	SWITCH(no_fence, "membarrier is refused"),
	SWITCH(fence_fails, "it fails now and then"),
	SWITCH(refuse, "memory is refused now and then"),
	SWITCH(reclaimer, "the reclaimer runs"),
	SWITCH(purgers, "two threads purge all the time"),
	SWITCH(profiles, "the profile goes on and off, and is written"),
	SWITCH(limits, "a thread changes the limits all the time"),
	SWITCH(pressure, "memory pressure is told now and then"),
	SWITCH(looks, "a thread asks for all statistics, and checks"),
	SWITCH(progress, "a line every ten seconds"),
	OPTION_TEXT("sites", &cell.sites, "where the counts of all sites go"),
};

static void options_check(void)
{
	if (cell.every & (cell.every - 1))
		option_wrong("every", "is no power of two", "");
	if (!cell.threads || cell.steps < ROUNDS * cell.threads)
		option_wrong("steps", "are too few: 16 for each thread", "");
}

static void die(const char *what)
{
	fprintf(stderr, "cell: %s: %s\n", what, strerror(errno));
	exit(3);
}

/* ---- before start-up ---- */

static void refuse_membarrier(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("seccomp");
}

static void first_cpu_only(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity");
	cpus_go(0, &set, 0);
}

static void all_cpus(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void limit_address_space(rlim_t size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit))
		die("getrlimit");
	limit.rlim_cur = size;
	if (setrlimit(RLIMIT_AS, &limit))
		die("setrlimit");
}

/* A pipe as the service manager's, which the library finds by its name, and
 * rounds.c by its number. */
static void open_pressure(void)
{
	char name[64], number[16];
	int ends[2];

	if (pipe(ends))
		die("pipe");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	snprintf(number, sizeof(number), "%d", ends[1]);
	if (setenv("MEMORY_PRESSURE_WATCH", name, 1) ||
	    setenv(PRESSURE, number, 1))
		die("setenv");
}

static void stage(char **argv)
{
	if (getenv(STAGE) || (!cell.no_fence && !cell.late && !cell.limit &&
			      !cell.pressure))
		return;
	if (cell.pressure)
		open_pressure();
	if (cell.limit)
		limit_address_space((rlim_t)cell.limit << 20);
	if (cell.no_fence)
		refuse_membarrier();
	if (cell.late)
		first_cpu_only();
	if (setenv(STAGE, "1", 1))
		die("setenv");
	execv("/proc/self/exe", argv);
	die("exec");
}

/* ---- threads ---- */

static pthread_barrier_t all_there;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all_there);
	return unused;
}

/* As many threads as there ever are, so that libc has what it keeps. */
static void warm_up(void)
{
	unsigned n = 2 * cell.threads + ROUNDS_HELPERS, i;
	pthread_t threads[n];

	pthread_barrier_init(&all_there, NULL, n);
	for (i = 0; i < n; i++)
		rounds_spawn(&threads[i], wait_for_all, NULL);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&all_there);
}

static void progress(void)
{
	struct lanemalloc_stats s;
	char line[200];
	int n;

	lanemalloc_stats(&s, sizeof(s));
	n = snprintf(line, sizeof(line),
		     "    %llu steps, RSS %llu KiB, live %llu KiB\n",
		     (unsigned long long)atomic_load(&rounds_nr_steps),
		     (unsigned long long)load_rss() >> 10,
		     (unsigned long long)s.live_size >> 10);
	if (n != write(STDOUT_FILENO, line, (size_t)n))
		exit(3);
}

static void wait_for_round(void)
{
	struct timespec tick = { 0, 1000000 };
	static unsigned nr_ticks;

	while (!rounds_rest()) {
		nanosleep(&tick, NULL);
		if (cell.progress && ++nr_ticks % PROGRESS_TICKS == 0)
			progress();
	}
}

/* Hints that were wrong while the threads rested: words that no search finds,
 * hugepages that no purge finds. They heal, and are no faults. */
static uint64_t most_unfiled, most_unhinted;

static void note_hints(const struct inside *now)
{
	if (now->nr_unfiled > most_unfiled)
		most_unfiled = now->nr_unfiled;
	if (now->nr_unhinted > most_unhinted)
		most_unhinted = now->nr_unhinted;
}

/* What all hold is what the heap has handed out, to the byte. */
static void check_round(const struct inside *base)
{
	struct inside now;
	uint64_t held;

	rounds_stop_helpers();
	limit_address_space(RLIM_INFINITY);
	perturb_set(cell.seed, 0);
	world_calm(); /* what is shut can be opened, and no longer waits */
	world_park_reclaimer();
	inside_check(&now);
	note_hints(&now);
	held = base->live_size + load_held_size();
	if (now.live_size != held)
		load_fail("live bytes, held", now.live_size, held);
	world_unpark_reclaimer();
	world_storm();
	perturb_set(cell.seed, cell.every);
	if (cell.limit)
		limit_address_space((rlim_t)cell.limit << 20);
	rounds_go_on();
}

static void run(const struct inside *base)
{
	unsigned i;

	load_start();
	rounds_start();
	for (i = 0; i < ROUNDS; i++) {
		wait_for_round();
		check_round(base);
	}
	rounds_join();
}

/* ---- the account ---- */

static void purge(void)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		inside_let_go();
		lanemalloc_purge();
	}
}

static void compare(const struct inside *base, const struct inside *now,
		    uint64_t base_rss)
{
	struct lanemalloc_stats s;
	uint64_t rss = load_rss(), most;

	lanemalloc_stats(&s, sizeof(s));
	if (now->live_size != s.live_size)
		load_fail("live bytes, statistics", now->live_size,
			  s.live_size);
	if (now->live_size != base->live_size)
		load_fail("live bytes, at start", now->live_size,
			  base->live_size);
	if (!cell.no_fence && !cell.fence_fails && now->cached_size)
		load_fail("cached after a purge", now->cached_size, 0);
	most = base_rss + now->claimed_size + s.metadata_size + RSS_SLACK +
	       2 * cell.threads * STACKS_RESIDENT;
	if (rss > most)
		load_fail("RSS, at most", rss, most);
	printf("    %llu steps, RSS %llu KiB, claimed %llu KiB, "
	       "most unfiled %llu, "
	       "unhinted %llu\n",
	       (unsigned long long)rounds_nr_steps,
	       (unsigned long long)rss >> 10,
	       (unsigned long long)now->claimed_size >> 10,
	       (unsigned long long)most_unfiled,
	       (unsigned long long)most_unhinted);
}

static void lift_limits(void)
{
	struct lanemalloc_limits none = { 0 };

	lanemalloc_limit(&none, NULL, sizeof(none));
}

static void write_sites(void)
{
	FILE *out = fopen(cell.sites, "we");

	if (!out)
		die(cell.sites);
	perturb_write(out);
	if (fclose(out))
		die(cell.sites);
}

int main(int argc, char **argv)
{
	struct inside base, now;
	uint64_t base_rss;

	options_read_rows(argc, argv, options);
	options_check();
	stage(argv);
	prctl(PR_SET_TIMERSLACK, 1);
	perturb_set(cell.seed, 0);
	warm_up();
	purge();
	inside_check(&base);
	base_rss = load_rss();
	world_start();
	if (cell.reclaimer && lanemalloc_reclaimer_start())
		die("reclaimer");
	perturb_set(cell.seed, cell.every);
	run(&base);
	perturb_set(cell.seed, 0);
	perturb_set_id_shift(0);
	all_cpus();
	limit_address_space(RLIM_INFINITY);
	world_calm();
	lift_limits();
	load_end();
	world_idle_reclaimer();
	world_park_reclaimer();
	purge();
	inside_check(&now);
	note_hints(&now);
	compare(&base, &now, base_rss);
	if (cell.sites)
		write_sites();
	return fflush(stdout) ? 1 : 0;
}
