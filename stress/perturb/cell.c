/* cell: one process of a matrix; the driver starts it with a configuration
 *
 * The circumstances that start-up must see are made by a first stage, which
 * then executes the program anew: a filter that refuses membarrier, an
 * affinity that hides all CPUs but one, a limit of address space.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cell.h"

#include <argp.h>
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

#include "lanemalloc.h"
#include "load.h"
#include "perturb.h"
#include "rounds.h"

#define STAGE "PERTURB_CELL_STAGE"
#define PROGRESS_TICKS 10000 /* of a millisecond */
#define STACKS_RESIDENT ((uint64_t)48 << 10)
#define RSS_SLACK ((uint64_t)13 << 20)

struct cell cell = { .threads = 16, .steps = 20000, .every = 64, .seed = 1 };

/* X(name, key, argument, help) */
#define NUMBERS(X)                                                         \
	X(threads, 't', "how many work")                                   \
	X(steps, 'n', "how many they do together")                         \
	X(every, 'e', "sites between two injections; a power of two, or 0") \
	X(limit, 'l', "MiB of address space in all; 0: no limit")          \
	X(hasty, 'h', "how much faster the library's clock runs")
#define SWITCHES(X)                                          \
	X(affinity, 'a', "threads are moved over the CPUs")  \
	X(late, 'c', "CPUs appear late, and go away")        \
	X(no_fence, 'm', "membarrier is refused")            \
	X(fence_fails, 'f', "it fails now and then")         \
	X(refuse, 'x', "memory is refused now and then")     \
	X(reclaimer, 'r', "the reclaimer runs")              \
	X(purgers, 'u', "two threads purge all the time")    \
	X(progress, 'p', "a line every ten seconds")

static const struct argp_option options[] = {
#define NUMBER_OPTION(name, key, help) { #name, key, "N", 0, help, 0 },
	NUMBERS(NUMBER_OPTION)
#undef NUMBER_OPTION
#define SWITCH_OPTION(name, key, help) { #name, key, NULL, 0, help, 0 },
	SWITCHES(SWITCH_OPTION)
#undef SWITCH_OPTION
	{ "seed", 's', "N", 0, "of all random numbers", 0 },
	{ "sites", 'o', "FILE", 0, "where the counts of all sites go", 0 },
	{ 0 },
};

static uint64_t number(const char *text, uint64_t most,
		       struct argp_state *state)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (*end || end == text || *text == '-' || n > most)
		argp_error(state, "not a number up to %llu: %s",
			   (unsigned long long)most, text);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
#define NUMBER_CASE(name, key, help)                                    \
	case key:                                                       \
		cell.name = (unsigned)number(arg, 1000000000, state);   \
		return 0;
		NUMBERS(NUMBER_CASE)
#undef NUMBER_CASE
#define SWITCH_CASE(name, key, help) \
	case key:                    \
		cell.name = true;    \
		return 0;
		SWITCHES(SWITCH_CASE)
#undef SWITCH_CASE
	case 's':
		cell.seed = number(arg, UINT64_MAX, state);
		return 0;
	case 'o':
		cell.sites = arg;
		return 0;
	case ARGP_KEY_END:
		if (cell.every & (cell.every - 1))
			argp_error(state, "--every is no power of two");
		if (!cell.threads || cell.threads > 1000 ||
		    cell.steps < ROUNDS * cell.threads)
			argp_error(state,
				   "1 to 1000 threads, %d steps each at least",
				   ROUNDS);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
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
	cpu_set_t set, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity");
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
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

static void stage(char **argv)
{
	if (getenv(STAGE) || (!cell.no_fence && !cell.late && !cell.limit))
		return;
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
	world_park_reclaimer();
	inside_check(&now);
	note_hints(&now);
	held = base->live_size + load_held_size();
	if (now.live_size != held)
		load_fail("live bytes, held", now.live_size, held);
	world_unpark_reclaimer();
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

	for (i = 0; i < 3; i++)
		lanemalloc_purge();
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
	static const struct argp argp = {
		options, parse, NULL,
		"A perturbed run of lanemalloc; see README.md.", NULL, NULL,
		NULL
	};
	struct inside base, now;
	uint64_t base_rss;

	if (argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, NULL))
		return 2;
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
