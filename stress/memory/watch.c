/* watch: runs a load and writes down its memory over time
 *
 *	watch SERIES LIBRARY PROGRAM [ARGUMENT...]
 *
 * LIBRARY is preloaded in the program only; "-" preloads nothing. SERIES gets
 * lines of words, bytes and milliseconds since the start:
 *
 *	sample MS LIVE RSS		every few milliseconds
 *	mark NAME MS LIVE RSS [KEY BYTES]...	at the end of each stage
 *
 * The status is the program's, 128 + the signal that ended it, or 126: it
 * cannot be run. The load lies beside, in a process of its own, so that a
 * program with one thread has one.
 */
#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness/clock.h"

#define PERIOD_MS 5
#define PATH_SIZE 4096

_Noreturn static void die(const char *what, const char *name)
{
	fprintf(stderr, "watch: %s %s: %s\n", what, name, strerror(errno));
	exit(126);
}

static struct board *board_make(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct board *board;

	if (file < 0 || ftruncate(file, sizeof(*board)))
		die("cannot write", path);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED,
		     file, 0);
	if (board == MAP_FAILED)
		die("cannot map", path);
	board->magic = BOARD_MAGIC;
	close(file);
	return board;
}

_Noreturn static void run(const char *path, const char *library,
			  char **program)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setenv("MEMORY_BOARD", path, 1))
		_exit(126);
	if (strcmp(library, "-") && setenv("LD_PRELOAD", library, 1))
		_exit(126);
	execvp(program[0], program);
	_exit(126);
}

/* Until the load's first counter or mark it is the loader's memory. */
static void sample(FILE *series, const struct board *board, int statm,
		   double ms)
{
	uint64_t rss = board_resident(statm);

	if (rss && atomic_load_explicit(&board->nr_counters,
					memory_order_relaxed))
		fprintf(series, "sample %.0f %lld %llu\n", ms,
			board_live(board), (unsigned long long)rss);
}

static int watch(FILE *series, const struct board *board, pid_t pid)
{
	double start = clock_seconds();
	char path[64];
	int statm, status;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	statm = open(path, O_RDONLY | O_CLOEXEC);
	if (statm < 0)
		die("cannot read", path);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		sample(series, board, statm, (clock_seconds() - start) * 1e3);
		usleep(PERIOD_MS * 1000);
	}
	close(statm);
	return status;
}

static void write_mark(FILE *series, const struct board_mark *mark)
{
	fprintf(series, "mark %s %llu %llu %llu", mark->name,
		(unsigned long long)mark->ms, (unsigned long long)mark->live,
		(unsigned long long)mark->rss);
#define BOARD_WRITE(name)						\
	fprintf(series, " " #name " %llu", (unsigned long long)mark->name);
	if (mark->told) {
		BOARD_LOSSES(BOARD_WRITE)
	}
#undef BOARD_WRITE
	fprintf(series, "\n");
}

int main(int argc, char **argv)
{
	char path[PATH_SIZE];
	struct board *board;
	unsigned nr_marks;
	FILE *series;
	int status;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "watch SERIES LIBRARY PROGRAM [ARGUMENT...]\n");
		return 126;
	}
	snprintf(path, sizeof(path), "%s.board", argv[1]);
	board = board_make(path);
	series = fopen(argv[1], "we");
	if (!series)
		die("cannot write", argv[1]);
	pid = fork();
	if (!pid)
		run(path, argv[2], argv + 3);
	if (pid < 0)
		die("cannot run", argv[3]);
	status = watch(series, board, pid);
	unlink(path);
	/* Acquire with board_mark(): the marks below the number. */
	nr_marks = atomic_load_explicit(&board->nr_marks, memory_order_acquire);
	for (unsigned i = 0; i < nr_marks; i++)
		write_mark(series, &board->marks[i]);
	if (fclose(series))
		die("cannot write", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
