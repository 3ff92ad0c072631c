/* capture: what is written to file descriptor 2, as a string
 *
 * A pipe holds 64 KiB, so a test's few lines fit and nobody has to read while
 * they are written.
 */
#ifndef LANE_CAPTURE_H
#define LANE_CAPTURE_H

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

struct capture {
	int read_fd;
	int saved_fd;
	char text[8192];
};

static inline void capture_begin(struct capture *capture)
{
	int fds[2];

	capture->saved_fd = dup(2);
	if (capture->saved_fd < 0 || pipe(fds) || dup2(fds[1], 2) < 0)
		abort();
	close(fds[1]);
	capture->read_fd = fds[0];
}

static inline const char *capture_end(struct capture *capture)
{
	size_t length = 0;
	ssize_t ret;

	if (dup2(capture->saved_fd, 2) < 0)
		abort();
	close(capture->saved_fd);
	do {
		ret = read(capture->read_fd, capture->text + length,
			   sizeof(capture->text) - 1 - length);
		length += ret > 0 ? (size_t)ret : 0;
	} while (ret > 0);
	close(capture->read_fd);
	capture->text[length] = '\0';
	return capture->text;
}

/* Runs it in a child; the child's wait status. */
static inline int run_in_child(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		abort();
	if (!pid) {
		run();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return status;
}

/* It writes this to stderr, and ends by that signal or with that status. */
static inline void assert_child(void (*run)(void), const char *text, int end)
{
	struct capture capture;
	int status;

	capture_begin(&capture);
	status = run_in_child(run);
	assert_string_equal(capture_end(&capture), text);
	assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) :
					       WEXITSTATUS(status), end);
}

#endif
