/* outside: a child from outside: it is forked, watched, and its words are kept
 */
#include "sweep.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int said; /* a file */

void outside_open(void)
{
	said = memfd_create("said", MFD_CLOEXEC);
	if (said < 0)
		die("no file for the child's words");
}

static bool goes_on(const char *line)
{
	return !strncmp(line, "lanemalloc:   ", 14);
}

/* Its last message: a line, with those behind it that go on. */
static const char *outside_said(void)
{
	static char out[16384];
	off_t most = sizeof(out) - 1, end = lseek(said, 0, SEEK_END);
	ssize_t n = pread(said, out, (size_t)most, end > most ? end - most : 0);
	char *line, *at;

	n = n > 0 ? n : 0;
	while (n && out[n - 1] == '\n')
		n--;
	out[n] = 0;
	do {
		line = memrchr(out, '\n', (size_t)n);
		n = line ? line - out : 0;
	} while (line && goes_on(line + 1));
	line = line ? line + 1 : out;
	for (at = line; (at = strchr(at, '\n')); at++)
		*at = ';';
	return line;
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

	for (i = 0; i < NR_THREADS && n < size; i++) {
		if (i == atomic_load(&cell->victim) ||
		    atomic_load(&cell->lost) >> i & 1 ||
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

static _Noreturn void child_begin(void (*body)(const void *), const void *arg)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(said, 2);
	dup2(said, 1);
	body(arg);
	_exit(0);
}

static void note_end(int status)
{
	uint32_t none = NOT_RUN;
	bool sound = WIFEXITED(status) && !WEXITSTATUS(status);

	if (atomic_compare_exchange_strong(&cell->outcome, &none,
					   sound ? STOPPED : CRASHED) &&
	    !sound)
		snprintf(cell->text, sizeof(cell->text), "status %#x", status);
}

/* A thread that blocks signals, as libc's do while they begin and end, came to
 * an int3: the kernel then ends the process. That says nothing. */
static bool trap_was_blocked(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP &&
	       (stop.shake || stop.nr_targets > 1 ||
		atomic_load(&cell->victim) == NOBODY);
}

static void note_blocked(pid_t pid)
{
	size_t n = strlen(cell->text);

	describe_blocked(pid, cell->text + n, sizeof(cell->text) - n);
	atomic_store(&cell->outcome, BLOCKED);
}

enum outcome outside_run(void (*body)(const void *), const void *arg)
{
	int status;
	pid_t pid;

	memset(cell, 0, sizeof(*cell));
	atomic_store(&cell->victim, NOBODY);
	if (ftruncate(said, 0) || lseek(said, 0, SEEK_SET))
		die("no file for the child's words");
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		child_begin(body, arg);
	setpgid(pid, pid);
	if (!watch_until_end(pid, shared->settings.timeout))
		note_blocked(pid);
	/* Its own children too, such as one that stands in a vfork. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	note_end(status);
	if (trap_was_blocked(status))
		atomic_store(&cell->outcome, NOT_REACHED);
	return atomic_load(&cell->outcome);
}

void failure_note(const char *where, const char *what)
{
	uint32_t i = atomic_fetch_add(&shared->nr_failures, 1);
	struct failure *f = &shared->failures[i];
	const char *output = outside_said();

	if (i >= NR_FAILURES_MOST)
		return;
	f->outcome = (uint8_t)atomic_load(&cell->outcome);
	snprintf(f->where, sizeof(f->where), "%s", where);
	snprintf(f->text, sizeof(f->text), "%s%s, victim %d%s%s", what,
		 cell->text, atomic_load(&cell->victim), *output ? " | " : "",
		 output);
}
