/* rights: a process with a helper, in children of the test, for the tests of
 * calls that change what a process may do */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "expect.h"

#include <fcntl.h>
#include <sched.h>

#define REFUSED 77 /* a child's status: the system does not grant it */
#define STATUS_SIZE 8192

static void read_status(const char *task, char *text)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, STATUS_SIZE - 1);
	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The line that begins so, without its end; "" where the task has gone. */
static void status_line(const char *text, const char *key, char *line)
{
	const char *at = strstr(text, key);
	size_t n = at ? strcspn(at, "\n") : 0;

	memcpy(line, at ? at : "", n);
	line[n] = '\0';
}

static unsigned nr_tasks(void)
{
	char text[STATUS_SIZE], line[64], first[16];

	snprintf(first, sizeof(first), "%d", (int)getpid());
	read_status(first, text);
	status_line(text, "Threads:", line);
	return (unsigned)atoi(line + strlen("Threads:"));
}

static void *work(void *arg)
{
	void *blocks[500];

	for (unsigned i = 0; i < 500; i++) {
		blocks[i] = malloc(i * 20 + 1);
		memset(blocks[i], 1, i * 20 + 1);
	}
	free_each(blocks);
	return arg;
}

static void *work_as_task(void *unused)
{
	work(unused);
	return (void *)syscall(SYS_gettid);
}

/* It is no task any more then, as it may be for a while when it is joined. */
static void thread_once(void)
{
	void *task = thread_run(work_as_task, NULL);

	while (!syscall(SYS_tgkill, getpid(), task, 0))
		sched_yield();
}

/* After a thread has ended, so that only the helper may be there. */
static void get_helper(void)
{
	thread_once();
	free(malloc(3 << 20));
}

/* Until it is there to be seen: it ends soon where nobody frees, and a busy
 * machine may have let it. In a process of one thread. */
static void see_helper(void)
{
	do
		get_helper();
	while (nr_tasks() != 2);
}

static void purge_soon(int argc, char **argv)
{
	if (argc == 1 && !getenv("LANEMALLOC_CONF")) {
		setenv("LANEMALLOC_CONF", "purge_delay=100", 1);
		execv("/proc/self/exe", argv);
	}
}

struct call {
	const char *name;
	long (*make)(void);
	long (*prepare)(void);
};

#define CALL(name) { #name, name, NULL }

/* What the child tries that runs now. */
static const struct call *tried;

/* Status of a child that runs it: 0, REFUSED, or what it failed of. */
static int in_child(void (*run)(void), const struct call *call)
{
	pid_t pid = fork();
	int status = 0;

	must(pid >= 0);
	if (!pid) {
		tried = call;
		run();
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void passes_or_is_refused(void (*run)(void))
{
	int status = in_child(run, NULL);

	must(!status || status == REFUSED);
}

#endif
