/* storm_vfork: vfork children that allocate while other threads run
 *
 * Such a child shares all memory, thread-local memory included, with its
 * sleeping parent, and the kernel has forgotten its rseq registration. It
 * works on its parent's live set: the parent goes on with what the child
 * allocated. The children end in _exit or exec.
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
	unsigned i;

	for (i = 0; i < storm.rounds; i++) {
		reap(i % 16 == 15 ? start_exec(live) : start_vfork(live));
		live_step(live);
	}
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
