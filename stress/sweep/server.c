/* server: the library is preloaded here and its heap is warm; one child of
 * this process per stop
 */
#include "load.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE_RUNS 12

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

/* In which system call a thread is; whose word it waits for. */
static void describe_thread(pid_t pid, pid_t tid, char *out, size_t size)
{
	unsigned long nr, first = 0;
	char path[64], line[160];
	Dl_info at = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	watch_read(path, line, sizeof(line));
	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%lu %lx", &nr, &first) == 2)
		dladdr((void *)first, &at);
	snprintf(out, size, "%.24s%s%s", line, at.dli_fname ? " of " : "",
		 at.dli_fname ? at.dli_fname : "");
}

/* Who has not finished, at which step. */
static void describe_blocked(pid_t pid, char *out, size_t size)
{
	pid_t child = atomic_load(&cell->fork_child);
	char what[120];
	size_t n = 0;
	int i;

	for (i = 0; i < NR_WORKERS && n < size; i++) {
		if (i == atomic_load(&cell->victim) ||
		    !atomic_load(&cell->tids[i]))
			continue;
		describe_thread(pid, atomic_load(&cell->tids[i]), what,
				sizeof(what));
		n += (size_t)snprintf(out + n, size - n,
				      "worker %d step %u: %s; ", i,
				      atomic_load(&cell->works[i]), what);
	}
	describe_thread(child ? child : pid, child ? child : pid, what,
			sizeof(what));
	if (n < size)
		snprintf(out + n, size - n, "%s: %s",
			 child ? "the fork's child" : "main", what);
}

static void child_begin(const struct scenario *s, uint64_t seed)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(child_stderr, 2);
	dup2(child_stderr, 1);
	child_run(s, seed);
}

/* A thread that blocks signals, as libc's do while they begin and end, came to
 * an int3: the kernel then ends the process. That says nothing. */
static bool trap_was_blocked(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP &&
	       (stop.shake || atomic_load(&cell->victim) == NOBODY);
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
	ended = watch_until_end(pid, shared->settings.timeout);
	if (!ended) {
		describe_blocked(pid, cell->text, sizeof(cell->text));
		atomic_store(&cell->outcome, BLOCKED);
	}
	/* Its own children too, such as one that stands in a vfork. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (atomic_load(&cell->outcome) != NOT_RUN)
		return atomic_load(&cell->outcome);
	if (trap_was_blocked(status)) {
		atomic_store(&cell->outcome, NOT_REACHED);
	} else {
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
	struct base *base = &shared->bases[scenario];

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
				      .luck = i * 7919,
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

/* The survey's server measured; this one's warm heap may be another. */
static void measure_own_base(unsigned scenario)
{
	static bool done[NR_SCENARIOS_MOST];
	struct stop saved = stop;
	struct cell was;

	if (done[scenario])
		return;
	done[scenario] = true;
	memcpy(&was, cell, sizeof(was));
	measure_base(scenario);
	stop = saved;
	memcpy(cell, &was, sizeof(was));
}

static void note_result(uint32_t instruction, unsigned scenario)
{
	const struct base *base = &shared->bases[scenario];
	struct result *r = &shared->results[instruction];
	uint64_t hand = cell->hand_size;

	r->outcome = (uint8_t)atomic_load(&cell->outcome);
	if (r->outcome == BLOCKED)
		atomic_fetch_add(&shared->nr_blocked, 1);
	r->scenario = (uint8_t)scenario;
	r->victim_bare = atomic_load(&cell->victim) == BARE;
	if (r->outcome != STOPPED) {
		if (r->outcome != NOT_REACHED)
			note_failure(instruction, scenario);
		return;
	}
	if (scenarios[scenario].no_measure || !cell->live_size)
		return;
	/* Where nobody is lost, more than before is a fault. */
	if (strchr("def", stop.mode) &&
	    (cell->live_size > base->live_size ||
	     cell->claimed_size > base->claimed_size))
		measure_own_base(scenario);
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

	if (!count) {
		shared->results[instruction].outcome = NOT_REACHED;
		return;
	}
	if (shared->settings.hit > 1 && most > 3)
		most = 3; /* many are passed once only */
	for (n = 0; n < most && outcome == NOT_REACHED; n++) {
		stop = (struct stop){ .instruction = instruction,
				      .mode = shared->settings.mode,
				      .hit = shared->settings.hit,
				      .luck = instruction + n };
		scenario = choose_try(instruction, n, best);
		outcome = run_child(&scenarios[scenario],
				    shared->settings.seed * 1000003ull +
					    instruction * 31 + n);
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

static bool is_over(void)
{
	unsigned enough = shared->settings.enough;

	return atomic_load(&shared->interrupted) ||
	       (enough && atomic_load(&shared->nr_blocked) >= enough);
}

int server_run(unsigned number, const char *library)
{
	uint32_t i;

	signal(SIGINT, SIG_IGN); /* the driver says when to end */
	signal(SIGTERM, SIG_IGN);
	unsetenv("LD_PRELOAD");
	putenv(scenario_conf);
	child_stderr = memfd_create("stderr", MFD_CLOEXEC);
	text_find(library);
	seldom_open();
	load_warm_up(&seldom_parts);
	cell = &shared->cells[number];
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
		if (i >= text.nr || is_over())
			return 0;
		if (shared->results[i].outcome == NOT_RUN)
			stop_at(i);
	}
}
