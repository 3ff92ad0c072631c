/* storm_clone: children of clone(CLONE_VM | CLONE_VFORK) that allocate
 *
 * What storm_vfork does, but the child comes from clone() and has a stack of
 * its own, as those of posix_spawn() have. No vfork() is called.
 */
#include "storm_children.h"

static int clone_child(void *live)
{
	child_steps(live);
	_exit(CHILD_DONE);
}

static pid_t start_clone(struct live *live, char *stack, size_t size)
{
	return clone(clone_child, stack + size,
		     CLONE_VM | CLONE_VFORK | SIGCHLD, live);
}

static void parent(struct live *live)
{
	char *stack = storm_map(128 * KIB);

	must(stack);
	for (unsigned i = 0; i < storm.rounds; i++) {
		storm_reap(start_clone(live, stack, 128 * KIB));
		live_step(live);
	}
	must(!munmap(stack, 128 * KIB));
}
