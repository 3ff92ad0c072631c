/* sweep: the survey, then one mode after the other
 *
 * One line per mode, then what was never reached, by function. Exit status 0:
 * nobody was blocked, nothing crashed, every heap was sound; with
 * --expect-blocked (negative controls): somebody was. 1: not so. 2, 3: it
 * could not be tried. 4: interrupted.
 */
#include "options.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared *shared;

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

static uint64_t stamp_add(uint64_t stamp, const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size--)
		stamp = (stamp ^ *at++) * 0x100000001b3;
	return stamp;
}

/* The same library, options and instructions. */
static uint64_t stamp_make(const struct settings *settings)
{
	uint64_t stamp = 0xcbf29ce484222325;
	char buf[4096];
	size_t n;
	FILE *f = fopen(options.library, "re");

	while (f && (n = fread(buf, 1, sizeof(buf), f)))
		stamp = stamp_add(stamp, buf, n);
	if (f)
		fclose(f);
	stamp = stamp_add(stamp, settings, sizeof(*settings));
	stamp = stamp_add(stamp, options.modes, strlen(options.modes));
	stamp = stamp_add(stamp, options.hits, strlen(options.hits));
	return stamp_add(stamp, text.all, text.nr * sizeof(*text.all));
}

/* Zeros, or what an interrupted sweep left. */
static void shared_map(size_t size)
{
	options.fd = options.state ? open(options.state, O_RDWR | O_CREAT, 0666)
				   : memfd_create("sweep", 0);
	if (options.fd < 0 || ftruncate(options.fd, (off_t)size))
		die("cannot write %s",
		    options.state ? options.state : "shared memory");
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      options.fd, 0);
	if (shared == MAP_FAILED)
		die("no shared memory");
}

/* True: an interrupted sweep goes on. */
static bool shared_make(const struct settings *settings)
{
	size_t list = text.nr * sizeof(*text.all);
	size_t size =
		sizeof(*shared) + list + names_size() + 64 +
		(size_t)text.nr * (sizeof(struct result) + NR_SCENARIOS_MOST);
	uint64_t stamp = stamp_make(settings);

	shared_map(size);
	atomic_store(&shared->interrupted, 0);
	if (shared->stamp == stamp)
		return true;
	memset(shared, 0, size);
	shared->stamp = stamp;
	shared->settings = *settings;
	shared->nr_instructions = text.nr;
	shared->names_size = names_size();
	memcpy(shared_text(), text.all, list);
	memcpy((char *)shared_text() + list, text.names, names_size());
	return false;
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
	static const char self[] = "/proc/self/exe";
	char server[16], fd[16];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(server, sizeof(server), "%u", number);
	snprintf(fd, sizeof(fd), "%d", options.fd);
	setenv("LD_PRELOAD", options.library, 1);
	setenv("LANEMALLOC_CONF", strchr(scenario_conf, '=') + 1, 1);
	execl(self, self, "--library", options.library, "--server", server,
	      "--fd", fd, (char *)NULL);
	die("cannot run %s: %s", self, strerror(errno));
}

/* The report is written all the same. */
static void on_end(int sig)
{
	(void)sig;
	atomic_store(&shared->interrupted, 1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t count_results(bool of_done)
{
	uint32_t i, n = 0;

	for (i = 0; i < text.nr; i++) {
		uint8_t outcome = shared->results[i].outcome;

		n += outcome != NR_OUTCOMES &&
		     (!of_done || outcome != NOT_RUN);
	}
	return n;
}

/* On stderr; start: when this began, with so many done before. */
static void show_progress(double start, uint32_t done_before)
{
	uint32_t done = count_results(true), all = count_results(false);

	if (!shared->settings.mode || done <= done_before)
		return;
	fprintf(stderr,
		"sweep: mode %c, thread %u: %u of %u, %u blocked; "
		"%.0f minutes left in this mode\n",
		shared->settings.mode, shared->settings.hit, done, all,
		atomic_load(&shared->nr_blocked),
		(now() - start) / (done - done_before) * (all - done) / 60);
}

#define NAP_US 50000
#define NAPS_SILENT 600 /* half a minute */

static void server_wait(pid_t pid, double start, uint32_t done_before)
{
	static unsigned naps;
	int status;
	pid_t ended;

	while (!(ended = waitpid(pid, &status, WNOHANG))) {
		usleep(NAP_US);
		if (!(++naps % NAPS_SILENT))
			show_progress(start, done_before);
	}
	if (ended != pid || status)
		die("a server ended with status %#x", status);
}

static void servers_run(void)
{
	uint32_t done_before = count_results(true);
	unsigned i, nr = options.jobs;
	pid_t pids[NR_SERVERS_MOST];
	double start = now();

	atomic_store(&shared->next, 0);
	for (i = 0; i < nr; i++)
		pids[i] = server_start(i);
	for (i = 0; i < nr; i++)
		server_wait(pids[i], start, done_before);
}

/* ---- running ---- */

static uint32_t nr_reached(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < text.nr; i++)
		n += scenarios_reaching(i) != 0;
	return n;
}

/* Whether the n-th reached instruction of nr is one of the sample. */
static bool is_sampled(uint64_t n, uint64_t nr)
{
	const struct settings *set = &shared->settings;

	if (set->sample && set->sample < nr)
		return n * set->sample % nr < set->sample;
	return n % set->step == set->phase % set->step;
}

/* Which instructions this run is about: of those that a survey reached. */
static void choose(void)
{
	uint32_t i, n = 0, nr = nr_reached();
	uint32_t only = shared->settings.only;

	memset(shared->results, 0, text.nr * sizeof(*shared->results));
	atomic_store(&shared->nr_blocked, 0);
	for (i = 0; i < text.nr; i++) {
		if (only ? text.all[i].offset != only
			 : !scenarios_reaching(i) || !is_sampled(n++, nr))
			shared->results[i].outcome = NR_OUTCOMES;
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

/* What an interrupted sweep has of this mode stays. */
static void run_mode(int mode, unsigned hit)
{
	double start = now();

	shared->settings.mode = mode;
	shared->settings.hit = hit;
	if (!shared->chosen)
		choose();
	shared->chosen = true;
	servers_run();
	if (options.state && atomic_load(&shared->interrupted))
		return;
	unchoose();
	report_mode(mode, now() - start);
	shared->chosen = false;
	shared->nr_runs++;
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
	unsigned hit, run = 0;
	char *end;

	for (; *hits; hits = *end ? end + 1 : end) {
		hit = (unsigned)strtoul(hits, &end, 10);
		if (!hit || (*end && *end != ','))
			die("not a list of numbers: %s", options.hits);
		for (mode = options.modes;
		     *mode && !atomic_load(&shared->interrupted); mode++)
			if (run++ >= shared->nr_runs)
				run_mode(*mode, hit);
	}
}

static void run_survey(void)
{
	double start = now();

	say("%s: %u instructions\n", options.library, text.nr);
	servers_run();
	report_survey();
	shared->nr_bad += report_failures() + report_rest();
	shared->nr_bad += report_unreached(
		&(struct unreached){ .explain = options.explain,
				     .library = options.library,
				     .report = options.report });
	say("survey: %.0f s\n", now() - start);
	shared->surveyed = !atomic_load(&shared->interrupted);
}

static void report_open(bool resumed)
{
	if (!options.report)
		return;
	report.file = fopen(options.report, resumed ? "ae" : "we");
	if (!report.file)
		die("cannot write %s", options.report);
}

static int run_all(const struct settings *settings)
{
	char *library = realpath(options.library, NULL);
	bool resumed;

	if (!library)
		die("no library %s", options.library);
	options.library = library;
	text_read(options.library, options.range, options.functions);
	resumed = shared_make(settings) && shared->surveyed;
	report_open(resumed);
	catch_end();
	if (!resumed)
		run_survey();
	run_modes();
	if (options.row)
		report_row(options.row);
	if (atomic_load(&shared->interrupted)) {
		say("interrupted: %s\n",
		    options.state ? "to be continued" : "the rest was not run");
		return 4;
	}
	if (options.state)
		unlink(options.state);
	if (options.expect_blocked)
		return shared->nr_stopped ? 0 : 1;
	return shared->nr_bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct settings settings;

	options_read(argc, argv, &settings);
	if (options.server < 0)
		return run_all(&settings);
	shared_join();
	return server_run((unsigned)options.server, options.library);
}
