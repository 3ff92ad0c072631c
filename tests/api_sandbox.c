/* Sandboxes by seccomp, with a helper alive; those that were refused, and those
 * of vfork children, end for the process.
 *
 * modes: once no-qemu
 */
#include "rights.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

/* ---- sandboxes ---- */

#define ALLOW(nr)                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_exit),
	ALLOW(SYS_exit_group), ALLOW(SYS_mmap), ALLOW(SYS_munmap),
	ALLOW(SYS_mremap), ALLOW(SYS_mprotect), ALLOW(SYS_madvise),
	ALLOW(SYS_clock_gettime),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

static void work_for(long ms)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned i = 0; i < 100; i++)
			work(NULL);
		free(malloc(3 << 20));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 +
			 (now.tv_nsec - start.tv_nsec) / 1000000 <
		 ms);
}

static long filter_all_threads(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_TSYNC, &program);
}

static long filter_one_thread(void)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static long filter_by_prctl(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void filtered(void)
{
	get_helper();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(REFUSED);
	free(malloc(3 << 20));
	if (tried->make())
		_exit(REFUSED);
	work_for(300);
}

/* The first samples of this thread's life are taken behind the filter. */
static void filtered_samples(void)
{
	get_helper();
	if (!LANE(lanemalloc_profile_start) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(REFUSED);
	must(!LANE(lanemalloc_profile_start)());
	if (filter_by_prctl())
		_exit(REFUSED);
	for (unsigned i = 0; i < 64; i++)
		free(opaque(malloc(1 << 20)));
}

/* A filter that the kernel refuses leaves no sandbox behind. */
static void refused_filter(void)
{
	get_helper();
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1);
	thread_once();
}

static void strict(void)
{
	get_helper();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(REFUSED);
	work(NULL);
	syscall(SYS_exit, 0);
}

/* Free blocks that end in guard pages, which nobody can clear: others are made
 * around them. */
static void strict_among_guards(void)
{
	void *blocks[24];

	free(opaque(malloc(200 << 10))); /* the lanes are there from now on */
	for (unsigned i = 0; i < 24; i++)
		blocks[i] = malloc(300 << 10);
	free_each(blocks);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(REFUSED);
	for (unsigned i = 0; i < 12; i++)
		memset(opaque(malloc(200 << 10)), 1, 200 << 10);
	syscall(SYS_exit, 0);
}

/* Memory that is new is refused; a block grows into what is free by a copy. */
static void strict_without_memory(void)
{
	char *free_one = malloc(48 << 20), *block = malloc(5 << 20);

	memset(free_one, 1, 48 << 20);
	memset(block, 2, 5 << 20);
	free(free_one);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(REFUSED);
	block = realloc(block, 9 << 20);
	if (!block || block[0] != 2 || block[(5 << 20) - 1] != 2)
		syscall(SYS_exit, 1);
	if (malloc((size_t)1 << 30) || errno != ENOMEM)
		syscall(SYS_exit, 2);
	syscall(SYS_exit, 0);
}

static void test_sandboxes(void)
{
	static const struct call filters[] = {
		CALL(filter_all_threads), CALL(filter_one_thread),
		CALL(filter_by_prctl),
	};
	int status;

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		status = in_child(filtered, &filters[i]);
		if (status && status != REFUSED)
			fprintf(stderr, "%s: status %d\n", filters[i].name,
				status);
		must(!status || status == REFUSED);
	}
	passes_or_is_refused(filtered_samples);
	must(!in_child(refused_filter, NULL));
	passes_or_is_refused(strict);
	passes_or_is_refused(strict_among_guards);
	passes_or_is_refused(strict_without_memory);
}

/* ---- sandboxes that the process is not in ---- */

static bool has_fast_paths(void)
{
	return LANE(lanemalloc_mode) &&
	       strcmp(LANE(lanemalloc_mode)(NULL), "direct") != 0;
}

static uint64_t nr_direct(void)
{
	struct lanemalloc_stats stats;

	LANE(lanemalloc_stats)(&stats, sizeof(stats));
	return stats.nr_direct;
}

/* But for the few that are interrupted too often. */
static bool fast_paths_run(void)
{
	uint64_t before = nr_direct();

	for (unsigned i = 0; i < 1000; i++)
		free(opaque(malloc(64)));
	return nr_direct() - before < 500;
}

static void *be_refused(void *stop)
{
	while (!atomic_load((atomic_bool *)stop))
		must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) ==
		     -1);
	return NULL;
}

static void vfork_once(void (*run)(void))
{
	int status = 1;
	pid_t pid = vfork();

	must(pid >= 0);
	if (!pid) {
		run();
		syscall(SYS_exit, 0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
}

static void work_once(void)
{
	work(NULL);
}

static void vfork_beside_refusals(void)
{
	atomic_bool stop = false;
	pthread_t thread;

	must(!pthread_create(&thread, NULL, be_refused, &stop));
	for (unsigned i = 0; i < 300; i++)
		vfork_once(work_once);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	must(fast_paths_run());
}

static void work_in_a_filter(void)
{
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!filter_one_thread());
	work(NULL);
}

static void work_strictly(void)
{
	if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		free(malloc(64));
}

/* What a vfork child forbids itself ends with it. */
static void vfork_into_sandboxes(void)
{
	get_helper();
	vfork_once(work_in_a_filter);
	must(fast_paths_run());
	vfork_once(work_strictly);
	must(fast_paths_run());
	see_helper();
}

static void test_other_sandboxes(void)
{
	if (!has_fast_paths())
		return;
	must(!in_child(vfork_beside_refusals, NULL));
	must(!in_child(vfork_into_sandboxes, NULL));
}

int main(int argc, char **argv)
{
	purge_soon(argc, argv);
	test_sandboxes();
	test_other_sandboxes();
	return 0;
}
