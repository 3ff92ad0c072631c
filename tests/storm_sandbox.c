/* storm_sandbox: a filter comes for all threads while they allocate
 *
 * Children, one after the other: their threads work so that helpers are born
 * all the time, and are asked for purges; then the first thread installs a
 * filter for all of them that kills for every call that the library should
 * not make any more. They work on; each must end by itself.
 *
 * timeout: 240
 */
#include "storm.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define REFUSED 78

#define ALLOW(nr)                                        \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(SYS_mmap), ALLOW(SYS_munmap), ALLOW(SYS_mremap),
	ALLOW(SYS_madvise), ALLOW(SYS_mprotect), ALLOW(SYS_exit_group),
	ALLOW(SYS_write),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

static atomic_uint nr_steps, nr_working;

static void *work(void *arg)
{
	size_t size = (size_t)40 << 20;
	char *block;

	atomic_fetch_add(&nr_working, 1); /* libc's calls are made */
	for (;;) {
		block = malloc(size);
		must(block);
		for (size_t i = 0; i < size; i += 16 * KIB)
			block[i] = 1;
		free(block);
		atomic_fetch_add(&nr_steps, 1);
	}
	return arg;
}

static void steps(unsigned n)
{
	unsigned end = atomic_load(&nr_steps) + n;

	while (atomic_load(&nr_steps) < end)
		free(malloc(3 << 20));
}

static void child(unsigned nr)
{
	pthread_t thread;

	for (unsigned i = 0; i < storm.threads; i++)
		must(!pthread_create(&thread, NULL, work, NULL));
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	while (atomic_load(&nr_working) < storm.threads)
		sched_yield();
	steps(2 + nr % 7);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program))
		_exit(REFUSED);
	steps(4);
	_exit(CHILD_DONE);
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	storm_conf("purge_delay=1", argv);
	storm_start(argc, argv, 2, 100);
	for (unsigned i = 0; i < storm.rounds; i++) {
		pid = fork();
		if (!pid)
			child(i);
		status = storm_wait(pid);
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != CHILD_DONE &&
					   WEXITSTATUS(status) != REFUSED))
			storm_fail("child %u: status %#x", i, status);
	}
	return storm_done();
}
