/* fate: what a victim does where it was stopped, in the signal's handler
 *
 * The child that it forks says itself how it gets on; who watches the process
 * waits for that.
 */
#include "sweep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "../harness/raw.h"

#define DELAY_US 2000

_Noreturn void fate_sleep(void)
{
	for (;;)
		raw_0(SYS_pause);
}

_Noreturn static void fate_end(void)
{
	for (;;)
		raw_1(SYS_exit, 0);
}

static void fork_here(void)
{
	pid_t child = _Fork();
	int status = 0;
	char line[100];

	if (!child) {
		stop_ignore();
		load_in_child();
	}
	/* The kernel forks no process that maps more than the machine has. */
	if (child < 0 && errno == ENOMEM)
		return;
	if (child < 0)
		child_fail(CRASHED, "fork failed");
	atomic_store(&cell->fork_child, child);
	while (raw_4(SYS_wait4, child, &status, 0, 0) == -EINTR)
		;
	atomic_store(&cell->fork_child, 0);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	snprintf(line, sizeof(line), "the fork's child ended with status %#x",
		 status);
	child_fail(CRASHED, line);
}

static void fate_fork(struct worker *w)
{
	if (load_parts->fork_begins)
		load_parts->fork_begins(w);
	fork_here();
	if (load_parts->fork_ends)
		load_parts->fork_ends(w);
}

void fate_meet(int mode, struct worker *w, bool may_leave)
{
	int saved;

	if (mode == 'a')
		fate_sleep();
	if (mode == 'b')
		fate_end();
	if (!w || !strchr("cde", mode)) {
		raw_sleep_us(DELAY_US);
		return;
	}
	if (mode == 'c') {
		if (!may_leave)
			return;
		w->left = true;
		siglongjmp(w->jump, 1);
	}
	saved = errno;
	if (mode == 'd')
		load_in_handler(w);
	else
		fate_fork(w);
	errno = saved;
}
