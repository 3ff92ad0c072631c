/* measure: runs a program once and tells what it cost
 *
 *	measure FILE LIBRARY PROGRAM [ARGUMENT...]
 *
 * LIBRARY is preloaded in the program only; "-" preloads nothing. Writes
 * "wall cpu rss" (seconds, seconds, MiB at the peak) to FILE. The status is
 * the program's, 128 + the signal that ended it, or 126: it cannot be run.
 */
#include "figure.h"
#include <sys/resource.h>
#include <sys/wait.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

_Noreturn static void run(const char *library, char **program)
{
	if (strcmp(library, "-") && setenv("LD_PRELOAD", library, 1))
		_exit(126);
	execvp(program[0], program);
	_exit(126);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start;
	int status;
	FILE *file;
	pid_t pid;

	if (argc < 4)
		figure_die("measure FILE LIBRARY PROGRAM [ARGUMENT...]");
	start = clock_seconds();
	pid = fork();
	if (!pid)
		run(argv[2], argv + 3);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		figure_die("cannot run it");
	file = fopen(argv[1], "w");
	if (!file)
		figure_die("cannot write the file");
	fprintf(file, "%.6f %.6f %.3f\n", clock_seconds() - start,
		seconds(usage.ru_utime) + seconds(usage.ru_stime),
		(double)usage.ru_maxrss / 1024);
	if (fclose(file))
		figure_die("cannot write the file");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
