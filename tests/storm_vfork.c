/* storm_vfork: vfork children that allocate while other threads run
 *
 * Such a child shares all memory, thread-local memory included, with its
 * sleeping parent, and the kernel has forgotten its rseq registration. It
 * works on its parent's live set: the parent goes on with what the child
 * allocated. The children end in _exit or exec.
 */
#include "storm_children.h"

/* Not inlined: the frames that the child leaves are its own. */
__attribute__((noinline)) static pid_t start_vfork(struct live *live)
{
	pid_t pid = vfork();

	if (pid)
		return pid;
	child_steps(live);
	_exit(CHILD_DONE);
}

__attribute__((noinline)) static pid_t start_exec(struct live *live)
{
	pid_t pid = vfork();

	if (pid)
		return pid;
	child_steps(live);
	execl("/bin/sh", "sh", "-c", "exit 77", (char *)NULL);
	_exit(1);
}

static void parent(struct live *live)
{
	for (unsigned i = 0; i < storm.rounds; i++) {
		storm_reap(i % 16 == 15 ? start_exec(live) : start_vfork(live));
		live_step(live);
	}
}
