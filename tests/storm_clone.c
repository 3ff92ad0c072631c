/* storm_clone: children of clone(CLONE_VM | CLONE_VFORK) that allocate
 *
 * What storm_vfork does, but the child comes from clone() and has a stack of
 * its own, as those of posix_spawn() have. No vfork() is called.
 */
#include "storm.h"
#include <sys/wait.h>

#define NR_PARENTS 4
#define CHILD_DONE 77
#define CHILD_STEPS 60

static struct ring ring;
static atomic_uint nr_parents;

static void child_steps(struct live *live)
{
	unsigned i;

	for (i = 0; i < CHILD_STEPS; i++)
		live_step(live);
}

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

static void reap(pid_t pid)
{
	int status = 0;

	must(pid > 0);
	while (waitpid(pid, &status, 0) != pid)
		must(errno == EINTR);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_DONE)
		storm_fail("child %d: status %#x", (int)pid, status);
}

static void parent(struct live *live)
{
	char *stack = storm_map(128 * KIB);
	unsigned i;

	must(stack);
	for (i = 0; i < storm.rounds; i++) {
		reap(start_clone(live, stack, 128 * KIB));
		live_step(live);
	}
	must(!munmap(stack, 128 * KIB));
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	struct live live;

	live_init(&live, index, 64 * KIB, 64, &ring);
	if (index < NR_PARENTS) {
		parent(&live);
		atomic_fetch_sub(&nr_parents, 1);
	}
	while (atomic_load(&nr_parents))
		live_step(&live);
	live_fini(&live);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 600);
	atomic_store(&nr_parents, NR_PARENTS);
	ring_init(&ring, 256, false);
	storm_parallel(NR_PARENTS + storm.threads, work, 256 * KIB);
	ring_drain(&ring);
	ring_fini(&ring);
	return storm_done();
}
