/* sweep: the survey, then one mode after the other
 *
 * One line per mode, then what was never reached, by function. Exit status 0:
 * nobody was blocked, nothing crashed, every heap was sound; with
 * --expect-blocked (negative controls): somebody was. 1: not so. 2, 3: it
 * could not be tried. 4: interrupted.
 */
#include "../harness/clock.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- servers ---- */

static int nr_words;
static char **words; /* of the command line */

static pid_t server_start(unsigned number)
{
	static const char self[] = "/proc/self/exe";
	char server[24], fd[24], *own[nr_words + 3];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(server, sizeof(server), "--server=%u", number);
	snprintf(fd, sizeof(fd), "--fd=%d", options.fd);
	memcpy(own, words, (size_t)nr_words * sizeof(*own));
	own[nr_words] = server;
	own[nr_words + 1] = fd;
	own[nr_words + 2] = NULL;
	setenv("LD_PRELOAD", options.library, 1);
	setenv("LANEMALLOC_CONF", strchr(scenario_conf, '=') + 1, 1);
	execv(self, own);
	die("cannot run %s: %s", self, strerror(errno));
}

/* The report is written all the same. */
static void on_end(int sig)
{
	(void)sig;
	atomic_store(&shared->interrupted, 1);
}

static uint32_t count_results(bool of_done)
{
	uint32_t i, n = 0;

	for (i = 0; i < text.nr; i++) {
		uint8_t outcome = shared->results[i].outcome;

		n += outcome != NR_OUTCOMES && (!of_done || outcome != NOT_RUN);
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
		(clock_seconds() - start) / (done - done_before) *
			(all - done) / 60);
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
	/* One goes through all steps, with jobs of its own. */
	unsigned i, nr = options.steps || options.last ? 1 : options.jobs;
	pid_t pids[NR_SERVERS_MOST];
	double start = clock_seconds();

	atomic_store(&shared->next, 0);
	for (i = 0; i < text.nr; i++)
		atomic_store(&shared->results[i].claimed, false);
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
	atomic_store(&shared->nr_groups, 0);
	atomic_store(&shared->nr_amiss, 0);
	atomic_store(&shared->nr_grouped, 0);
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
	double start = clock_seconds();

	shared->settings.mode = mode;
	shared->settings.hit = hit;
	if (!shared->chosen) {
		choose();
		proven_skip();
	}
	shared->chosen = true;
	servers_run();
	if (options.state && atomic_load(&shared->interrupted))
		return;
	unchoose();
	report_mode(mode, clock_seconds() - start);
	proven_add();
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
	double start = clock_seconds();

	say("%s: %u instructions\n", options.library, text.nr);
	servers_run();
	report_survey();
	shared->nr_bad += report_failures() + report_rest();
	shared->nr_bad += report_unreached(
		&(struct unreached){ .explain = options.explain,
				     .library = options.library,
				     .report = options.report });
	say("survey: %.0f s\n", clock_seconds() - start);
	shared->surveyed = !atomic_load(&shared->interrupted);
}

static void run_instructions(bool resumed)
{
	if (!resumed)
		run_survey();
	proven_say();
	run_modes();
	if (options.row)
		report_row(options.row);
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
	if (options.report)
		report_open(options.report, resumed);
	catch_end();
	if (options.steps || options.last)
		servers_run();
	else
		run_instructions(resumed);
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

	nr_words = argc;
	words = argv;
	options_take(argc, argv, &settings);
	if (options.fd < 0)
		return run_all(&settings);
	shared_join();
	return server_run();
}
