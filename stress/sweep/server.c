/* server: the library is preloaded here and its heap is warm; one child of
 * this process per stop
 */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE_RUNS 12

static unsigned server;
static int child_stderr;

/* ---- one child ---- */

/* The last line that it printed. */
static void child_output(char *out, size_t size)
{
	off_t end = lseek(child_stderr, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t n = pread(child_stderr, out, size - 1, from);
	char *line;

	out[n > 0 ? n : 0] = 0;
	while (n > 0 && out[n - 1] == '\n')
		out[--n] = 0;
	line = strrchr(out, '\n');
	if (line)
		memmove(out, line + 1, strlen(line));
}

static void read_line_of(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
	if (fd >= 0)
		close(fd);
}

/* Who has not finished, at which step, in which system call. */
static void describe_blocked(pid_t pid, char *out, size_t size)
{
	char path[64], line[160];
	size_t n = 0;
	int i;

	for (i = 0; i < NR_WORKERS && n < size; i++) {
		if (i == atomic_load(&cell->victim) ||
		    !atomic_load(&cell->tids[i]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid,
			 atomic_load(&cell->tids[i]));
		read_line_of(path, line, sizeof(line));
		n += (size_t)snprintf(out + n, size - n,
				      "worker %d step %u: %.60s; ", i,
				      atomic_load(&cell->works[i]), line);
	}
	if (n < size) {
		snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
		read_line_of(path, line, sizeof(line));
		snprintf(out + n, size - n, "main: %.60s", line);
	}
}

/* False: nothing moved for too long. */
static bool wait_for_child(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_on = { .fd = pidfd, .events = POLLIN };
	uint64_t seen = ~(uint64_t)0, now;
	unsigned still = 0;
	bool ended;

	if (pidfd < 0)
		die("no pidfd: %s", strerror(errno));
	for (;;) {
		ended = poll(&poll_on, 1, 250) > 0;
		now = atomic_load(&cell->progress);
		still = now == seen ? still + 1 : 0;
		seen = now;
		if (ended || still >= 4 * shared->settings.timeout)
			break;
	}
	close(pidfd);
	return ended;
}

static void child_begin(const struct scenario *s, uint64_t seed)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(child_stderr, 2);
	dup2(child_stderr, 1);
	child_run(s, seed);
}

static enum outcome run_child(const struct scenario *s, uint64_t seed)
{
	int status = 0;
	bool ended;
	pid_t pid;

	memset(cell, 0, sizeof(*cell));
	atomic_store(&cell->victim, NOBODY);
	if (ftruncate(child_stderr, 0) || lseek(child_stderr, 0, SEEK_SET))
		die("no file for the child's words");
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		child_begin(s, seed);
	setpgid(pid, pid);
	ended = wait_for_child(pid);
	if (!ended) {
		describe_blocked(pid, cell->text, sizeof(cell->text));
		atomic_store(&cell->outcome, BLOCKED);
	}
	/* Its own children too, such as one that stands in a vfork. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (atomic_load(&cell->outcome) == NOT_RUN) {
		atomic_store(&cell->outcome, CRASHED);
		snprintf(cell->text, sizeof(cell->text), "status %#x", status);
	}
	return atomic_load(&cell->outcome);
}

/* ---- what is reached, and what remains without a stop ---- */

static void note_failure(uint32_t instruction, unsigned scenario)
{
	uint32_t i = atomic_fetch_add(&shared->nr_failures, 1);
	struct failure *f = &shared->failures[i];
	char output[128];

	if (i >= NR_FAILURES_MOST)
		return;
	child_output(output, sizeof(output));
	f->instruction = instruction;
	f->outcome = (uint8_t)atomic_load(&cell->outcome);
	f->scenario = (uint8_t)scenario;
	snprintf(f->text, sizeof(f->text), "%s%s%s, victim %d", cell->text,
		 *output ? " | " : "", output, atomic_load(&cell->victim));
}

static void note_base(unsigned scenario)
{
	struct base *base = &shared->bases[server][scenario];

	if (cell->live_size > base->live_size)
		base->live_size = cell->live_size;
	if (cell->claimed_size > base->claimed_size)
		base->claimed_size = cell->claimed_size;
}

static void measure_base(unsigned scenario)
{
	unsigned i;

	for (i = 0; i < BASE_RUNS; i++) {
		stop = (struct stop){ .nothing = true };
		if (run_child(&scenarios[scenario], 1000 + i) == STOPPED)
			note_base(scenario);
		else
			note_failure(0, scenario);
	}
}

static void survey(unsigned scenario)
{
	const struct scenario *s = &scenarios[scenario];
	unsigned i;

	measure_base(scenario);
	for (i = 0; i < shared->settings.surveys; i++) {
		stop = (struct stop){ .survey = true,
				      .reached = shared_reached(scenario) };
		if (run_child(s, i) != STOPPED)
			note_failure(0, scenario);
	}
}

/* ---- the stops ---- */

/* The first scenario that reaches it nearly always, else the best. */
static unsigned best_scenario(uint32_t instruction, unsigned *count)
{
	unsigned s, best = 0, most = 0;

	for (s = 0; s < scenario_count(); s++) {
		unsigned n = shared_reached(s)[instruction];

		if (n > most) {
			most = n;
			best = s;
		}
		if (n * 10 >= shared->settings.surveys * 9)
			break;
	}
	*count = most;
	return best;
}

static uint32_t beyond(uint64_t size, uint64_t base, uint64_t hand)
{
	return size > base + hand ? (uint32_t)(size - base - hand) : 0;
}

/* The warm heap is each server's own, the others begin the same. */
static const struct base *base_of(unsigned scenario)
{
	struct base *base = &shared->bases[server][scenario];

	if (!base->known) {
		struct stop saved = stop;
		struct cell was = *cell;

		base->known = true;
		measure_base(scenario);
		stop = saved;
		memcpy(cell, &was, sizeof(was));
	}
	return base;
}

static void note_result(uint32_t instruction, unsigned scenario)
{
	const struct base *base;
	struct result *r = &shared->results[instruction];
	uint64_t hand = cell->hand_size;

	r->outcome = (uint8_t)atomic_load(&cell->outcome);
	r->scenario = (uint8_t)scenario;
	r->victim_bare = atomic_load(&cell->victim) == BARE;
	if (r->outcome != STOPPED) {
		if (r->outcome != NOT_REACHED)
			note_failure(instruction, scenario);
		return;
	}
	if (scenarios[scenario].no_measure || !cell->live_size)
		return;
	base = base_of(scenario);
	r->live_size = beyond(cell->live_size, base->live_size,
			      hand ? hand + hand / 4 + 16 : 0);
	r->claimed_size = beyond(cell->claimed_size, base->claimed_size,
				 hand ? hand + 32768 : 0);
}

/* The n-th try: where it is reached at all but seldom, under the conditions
 * of the survey too, then in other scenarios. */
static unsigned choose_try(uint32_t instruction, unsigned n, unsigned best)
{
	unsigned s, others = 0;

	stop.shake = n % 2;
	if (n < 4)
		return best;
	for (s = 0; s < scenario_count(); s++) {
		if (!shared_reached(s)[instruction] || s == best)
			continue;
		if (others++ == (n - 4) / 2 % NR_SCENARIOS_MOST)
			return s;
	}
	return best;
}

static void stop_at(uint32_t instruction)
{
	unsigned count, best = best_scenario(instruction, &count), n;
	unsigned scenario = best, most = shared->settings.tries;
	enum outcome outcome = NOT_REACHED;

	shared->results[instruction].outcome = NOT_REACHED;
	if (!count)
		return;
	if (shared->settings.hit > 1 && most > 3)
		most = 3; /* many are passed once only */
	for (n = 0; n < most && outcome == NOT_REACHED; n++) {
		stop = (struct stop){ .instruction = instruction,
				      .mode = shared->settings.mode,
				      .hit = shared->settings.hit };
		scenario = choose_try(instruction, n, best);
		outcome = run_child(&scenarios[scenario], instruction * 31 + n);
		note_result(instruction, scenario);
	}
	if (shared->settings.verbose)
		fprintf(stderr, "%c %#x %s: %d in %s, live %u claimed %u\n",
			shared->settings.mode, text.all[instruction].offset,
			text_name(instruction), (int)outcome,
			scenarios[scenario].name,
			shared->results[instruction].live_size,
			shared->results[instruction].claimed_size);
}

int server_run(unsigned number, const char *library)
{
	uint32_t i;

	server = number;
	signal(SIGINT, SIG_IGN); /* the driver says when to end */
	signal(SIGTERM, SIG_IGN);
	unsetenv("LD_PRELOAD");
	putenv(scenario_conf);
	memset(shared->bases[server], 0, sizeof(shared->bases[server]));
	child_stderr = memfd_create("stderr", MFD_CLOEXEC);
	text_find(library);
	load_warm_up();
	cell = &shared->cells[server];
	if (!shared->settings.mode) {
		for (;;) {
			i = atomic_fetch_add(&shared->next, 1);
			if (i >= scenario_count() ||
			    atomic_load(&shared->interrupted))
				return 0;
			if (shared->settings.scenarios >> i & 1)
				survey(i);
		}
	}
	for (;;) {
		i = atomic_fetch_add(&shared->next, 1);
		if (i >= text.nr || atomic_load(&shared->interrupted))
			return 0;
		if (shared->results[i].outcome == NOT_RUN)
			stop_at(i);
	}
}
