/* sweep: options, modes, report
 *
 *	sweep --library PATH [options]
 *
 * One line per mode, then what was never reached, by function. Exit status 0:
 * nobody was blocked, nothing crashed, every heap was sound; with
 * --expect-blocked (negative controls): somebody was.
 */
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared *shared;

static struct {
	const char *library, *range, *modes, *hits, *self;
	unsigned jobs;
	int server, fd;
	bool expect_blocked;
} options = {
	.modes = "abcdef", .hits = "1", .jobs = 1, .server = -1, .fd = -1
};

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "sweep: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	_exit(3);
}

/* ---- the shared mapping ---- */

uint8_t *shared_reached(unsigned scenario)
{
	uint32_t nr = shared->nr_instructions;

	return (uint8_t *)(shared->results + nr) + (size_t)scenario * nr;
}

static void *shared_text(void)
{
	uintptr_t end = (uintptr_t)shared_reached(NR_SCENARIOS_MOST);

	return (void *)((end + 15) & ~(uintptr_t)15);
}

static uint32_t names_size(void)
{
	const char *last = text.names + text.all[text.nr - 1].name;

	return (uint32_t)(last + strlen(last) + 1 - text.names);
}

static void shared_make(const struct settings *settings)
{
	size_t list = text.nr * sizeof(*text.all);
	size_t size =
		sizeof(*shared) + list + names_size() + 64 +
		(size_t)text.nr * (sizeof(struct result) + NR_SCENARIOS_MOST);

	options.fd = memfd_create("sweep", 0);
	if (options.fd < 0 || ftruncate(options.fd, (off_t)size))
		die("no shared memory");
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      options.fd, 0);
	if (shared == MAP_FAILED)
		die("no shared memory");
	shared->settings = *settings;
	shared->nr_instructions = text.nr;
	shared->names_size = names_size();
	memcpy(shared_text(), text.all, list);
	memcpy((char *)shared_text() + list, text.names, names_size());
}

static void shared_join(void)
{
	off_t size = lseek(options.fd, 0, SEEK_END);

	shared = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      options.fd, 0);
	if (shared == MAP_FAILED)
		die("no shared memory");
	text.nr = shared->nr_instructions;
	text.all = shared_text();
	text.names = (char *)(text.all + text.nr);
}

/* ---- servers ---- */

static pid_t server_start(unsigned number)
{
	char server[16], fd[16];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(server, sizeof(server), "%u", number);
	snprintf(fd, sizeof(fd), "%d", options.fd);
	setenv("LD_PRELOAD", options.library, 1);
	setenv("LANEMALLOC_CONF", strchr(scenario_conf, '=') + 1, 1);
	execl(options.self, options.self, "--library", options.library,
	      "--server", server, "--fd", fd, (char *)NULL);
	die("cannot run %s: %s", options.self, strerror(errno));
}

/* The report is written all the same. */
static void on_end(int sig)
{
	(void)sig;
	atomic_store(&shared->interrupted, 1);
}

static void servers_run(void)
{
	unsigned i, nr = options.jobs;
	pid_t pids[NR_SERVERS_MOST];
	int status;

	atomic_store(&shared->next, 0);
	for (i = 0; i < nr; i++)
		pids[i] = server_start(i);
	for (i = 0; i < nr; i++)
		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			die("a server ended with status %#x", status);
}

/* ---- running ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Which instructions this run is about. */
static void choose(void)
{
	const struct settings *set = &shared->settings;
	uint32_t i, nr = 0;

	memset(shared->results, 0, text.nr * sizeof(*shared->results));
	for (i = 0; i < text.nr; i++) {
		struct result *r = &shared->results[i];

		if (set->only ? text.all[i].offset != set->only
			      : !scenarios_reaching(i) && set->step > 1)
			r->outcome = NR_OUTCOMES;
		else if (nr++ % set->step != set->phase % set->step)
			r->outcome = NR_OUTCOMES;
	}
}

/* What was left out counts as not run. */
static void unchoose(void)
{
	uint32_t i;

	for (i = 0; i < text.nr; i++)
		if (shared->results[i].outcome == NR_OUTCOMES)
			shared->results[i].outcome = NOT_RUN;
}

static void run_mode(int mode, unsigned hit)
{
	double start = now();

	shared->settings.mode = mode;
	shared->settings.hit = hit;
	choose();
	servers_run();
	unchoose();
	report_mode(mode, now() - start);
}

static void catch_end(void)
{
	struct sigaction action = { .sa_handler = on_end,
				    .sa_flags = SA_RESTART };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static void run_modes(void)
{
	const char *mode, *hits = options.hits;
	unsigned hit;
	char *end;

	for (; *hits; hits = *end ? end + 1 : end) {
		hit = (unsigned)strtoul(hits, &end, 10);
		if (!hit || (*end && *end != ','))
			die("not a list of numbers: %s", options.hits);
		for (mode = options.modes;
		     *mode && !atomic_load(&shared->interrupted); mode++)
			run_mode(*mode, hit);
	}
}

static int run_all(const struct settings *settings)
{
	double start = now();

	options.library = realpath(options.library, NULL);
	if (!options.library)
		die("no such library");
	text_read(options.library, options.range);
	shared_make(settings);
	catch_end();
	say("%s: %u instructions\n", options.library, text.nr);
	servers_run();
	report_survey();
	report.nr_bad += report_failures() + report_rest();
	report_unreached();
	say("survey: %.0f s\n", now() - start);
	run_modes();
	if (atomic_load(&shared->interrupted))
		say("interrupted: the rest was not run\n");
	if (options.expect_blocked)
		return report.nr_blocked ? 0 : 1;
	return report.nr_bad ? 1 : 0;
}

static unsigned number(const char *arg)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 0);

	if (end == arg || *end || n > UINT32_MAX)
		die("not a number: %s", arg);
	return (unsigned)n;
}

static unsigned scenario_bit(const char *name)
{
	unsigned s;

	for (s = 0; scenarios[s].name; s++)
		if (!strcmp(scenarios[s].name, name))
			return 1u << s;
	die("no scenario %s", name);
}

_Noreturn static void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: sweep --library PATH [options]\n"
		"  --modes abcdef    a: sleeps for ever, b: exits, c: leaves "
		"by "
		"siglongjmp,\n"
		"                    d: allocates in the handler, e: forks, f: "
		"is delayed\n"
		"  --step N          every N-th reached instruction [1]\n"
		"  --phase N         from the N-th on [0]\n"
		"  --hit K,...       the K-th thread that comes by [1]\n"
		"  --jobs N          stops at a time [1]\n"
		"  --timeout S       blocked: S seconds without progress [10]\n"
		"  --tries N         where it is seldom reached [12]\n"
		"  --work N          steps of each thread [400]\n"
		"  --surveys N       runs that look what is reached [20]\n"
		"  --only OFFSET     one instruction\n"
		"  --range FROM,TO   part of the library (names or offsets)\n"
		"  --report FILE     the report goes there, too\n"
		"  --most-objects N  it is a fault to strand more bytes\n"
		"  --most-address-space N\n"
		"  --scenario NAME   only under these circumstances\n"
		"  --failures N      print at most N of them [25]\n"
		"  --list            every instruction that is not reached\n"
		"  --expect-blocked  succeed if somebody was blocked\n"
		"  --verbose         every stop\n");
	exit(status);
}

static const struct option long_options[] = {
	{ "library", required_argument, NULL, 'l' },
	{ "modes", required_argument, NULL, 'm' },
	{ "step", required_argument, NULL, 's' },
	{ "phase", required_argument, NULL, 'p' },
	{ "hit", required_argument, NULL, 'k' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "timeout", required_argument, NULL, 't' },
	{ "tries", required_argument, NULL, 'T' },
	{ "work", required_argument, NULL, 'w' },
	{ "surveys", required_argument, NULL, 'y' },
	{ "only", required_argument, NULL, 'o' },
	{ "range", required_argument, NULL, 'r' },
	{ "report", required_argument, NULL, 'R' },
	{ "failures", required_argument, NULL, 'f' },
	{ "most-objects", required_argument, NULL, 'O' },
	{ "most-address-space", required_argument, NULL, 'A' },
	{ "scenario", required_argument, NULL, 'c' },
	{ "list", no_argument, NULL, 'L' },
	{ "expect-blocked", no_argument, NULL, 'B' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "server", required_argument, NULL, 'S' },
	{ "fd", required_argument, NULL, 'F' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Which numbers of the settings the option is; NULL: it is no number. */
static unsigned *option_number(int c, struct settings *set)
{
	switch (c) {
	case 's':
		return &set->step;
	case 'p':
		return &set->phase;
	case 'j':
		return &options.jobs;
	case 't':
		return &set->timeout;
	case 'T':
		return &set->tries;
	case 'w':
		return &set->work;
	case 'y':
		return &set->surveys;
	case 'o':
		return &set->only;
	case 'f':
		return &report.failures;
	case 'O':
		return &report.most_live;
	case 'A':
		return &report.most_claimed;
	}
	return NULL;
}

static void option_take(int c, struct settings *set)
{
	unsigned *to = option_number(c, set);

	if (to)
		*to = number(optarg);
	else if (c == 'l')
		options.library = optarg;
	else if (c == 'm')
		options.modes = optarg;
	else if (c == 'k')
		options.hits = optarg;
	else if (c == 'r')
		options.range = optarg;
	else if (c == 'R')
		report.file = fopen(optarg, "we");
	else if (c == 'c')
		set->scenarios = scenario_bit(optarg);
	else if (c == 'L')
		report.list = true;
	else if (c == 'B')
		options.expect_blocked = true;
	else if (c == 'v')
		set->verbose = true;
	else if (c == 'S')
		options.server = (int)number(optarg);
	else if (c == 'F')
		options.fd = (int)number(optarg);
	else
		usage(c == 'h' ? 0 : 2);
}

int main(int argc, char **argv)
{
	struct settings set = { .step = 1,
				.timeout = 10,
				.tries = 12,
				.work = 400,
				.surveys = 20,
				.scenarios = ~0u };
	int c;

	options.self = "/proc/self/exe";
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_take(c, &set);
	if (optind != argc || !options.library || !set.step || set.work < 100 ||
	    !options.jobs || options.jobs > NR_SERVERS_MOST ||
	    report.failures > NR_FAILURES_MOST ||
	    strspn(options.modes, "abcdef") != strlen(options.modes))
		usage(2);
	if (options.server < 0)
		return run_all(&set);
	shared_join();
	return server_run((unsigned)options.server, options.library);
}
