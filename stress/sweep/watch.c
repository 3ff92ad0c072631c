/* watch: whether a child still moves
 *
 * A child is blocked if it makes no step although it could: while all of its
 * threads sleep, time counts; while some want to run, only the processor time
 * that they got does. So a machine that is busy with other things blocks
 * nobody.
 */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLL_MS 250
#define DEPTH_MOST 4 /* of children's children */

struct activity {
	bool wants;     /* a thread runs, or wants to */
	uint64_t ticks; /* of processor time, all threads */
};

void watch_read(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

/* The state and the times, behind the name in parentheses. */
static void add_thread(struct activity *a, const char *stat, bool idles)
{
	const char *at = strrchr(stat, ')');
	unsigned long user, system;
	char state;

	if (!at || sscanf(at + 1,
			  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
			  "%*u %lu %lu",
			  &state, &user, &system) != 3)
		return;
	a->ticks += user + system;
	a->wants |= !idles && (state == 'R' || state == 'D');
}

static void add_process(struct activity *a, pid_t pid, unsigned depth);

static void add_children(struct activity *a, char *list, unsigned depth)
{
	char *end;
	long pid;

	for (; depth && (pid = strtol(list, &end, 10)) > 0; list = end)
		add_process(a, (pid_t)pid, depth - 1);
}

static void add_task(struct activity *a, pid_t pid, pid_t tid, unsigned depth)
{
	/* The first thread naps until the others are through. */
	bool idles = depth == DEPTH_MOST && pid == tid &&
		     !atomic_load(&cell->finished);
	char path[80], line[512];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	watch_read(path, line, sizeof(line));
	add_thread(a, line, idles);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
	watch_read(path, line, sizeof(line));
	add_children(a, line, depth);
}

/* Without opendir(), which would change the heap that all children get. */
static void add_process(struct activity *a, pid_t pid, unsigned depth)
{
	char path[40];
	_Alignas(struct dirent64) char list[4096];
	struct dirent64 *entry;
	long n = 0, at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		n = syscall(SYS_getdents64, fd, list, sizeof(list));
	for (at = 0; at < n; at += entry->d_reclen) {
		entry = (void *)(list + at);
		if (atoi(entry->d_name))
			add_task(a, pid, atoi(entry->d_name), depth);
	}
	if (fd >= 0)
		close(fd);
}

/* How long the child has stood still, more or less, in ms. */
struct stillness {
	uint64_t progress, ticks, ms;
};

static void look(struct stillness *s, pid_t pid)
{
	uint64_t tick_ms = 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t progress = atomic_load(&cell->progress);
	struct activity a = { 0 };

	add_process(&a, pid, DEPTH_MOST);
	if (progress != s->progress)
		s->ms = 0;
	else if (!a.wants)
		s->ms += POLL_MS;
	else if (a.ticks > s->ticks)
		s->ms += (a.ticks - s->ticks) * tick_ms;
	s->progress = progress;
	s->ticks = a.ticks;
}

bool watch_until_end(pid_t pid, unsigned timeout)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
			      .events = POLLIN };
	uint64_t most = 1000 * (uint64_t)timeout;
	struct stillness still = { .progress = ~(uint64_t)0 };
	bool ended;

	if (end.fd < 0)
		die("no pidfd: %s", strerror(errno));
	while (!(ended = poll(&end, 1, POLL_MS) > 0) && still.ms < most)
		look(&still, pid);
	close(end.fd);
	return ended;
}
