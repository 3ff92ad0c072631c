/* What the program may do changes for all of its process, at once: each call
 * that changes rights, by libc's function and by syscall(), in a process that
 * has (had) threads, whose memory was freed, with a helper alive.
 *
 * What the system refuses to a process of one thread is skipped; without root
 * that is most of it.
 *
 * modes: once no-qemu
 */
#include "expect.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define NOBODY 65534
#define REFUSED 77 /* a child's status: the system does not grant it */
#define STATUS_SIZE 8192

int capset(cap_user_header_t head, const cap_user_data_t data);

/* ---- the tasks ---- */

static void read_status(const char *task, char *text)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, STATUS_SIZE - 1);
	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The line that begins so, without its end; "" where the task has gone. */
static void status_line(const char *text, const char *key, char *line)
{
	const char *at = strstr(text, key);
	size_t n = at ? strcspn(at, "\n") : 0;

	memcpy(line, at ? at : "", n);
	line[n] = '\0';
}

static bool same_rights(const char *one, const char *other)
{
	static const char *const keys[] = { "\nUid:", "\nGid:", "\nGroups:",
					    "\nCapInh:", "\nCapPrm:",
					    "\nCapEff:", "\nCapBnd:",
					    "\nCapAmb:", "\nNoNewPrivs:" };
	char a[1024], b[1024];
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		status_line(one, keys[i] + 1, a);
		status_line(other, keys[i] + 1, b);
		if (*b && strcmp(a, b)) {
			fprintf(stderr, "%s, but %s\n", a, b);
			return false;
		}
	}
	return true;
}

/* Whether all tasks have the first one's rights. */
static bool tasks_are_equal(void)
{
	char own[STATUS_SIZE], other[STATUS_SIZE], first[16];
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool equal = true;

	if (!dir) /* behind a chroot */
		return true;
	snprintf(first, sizeof(first), "%d", (int)getpid());
	read_status(first, own);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		read_status(entry->d_name, other);
		equal = same_rights(own, other) && equal;
	}
	closedir(dir);
	return equal;
}

static unsigned nr_tasks(void)
{
	char text[STATUS_SIZE], line[64], first[16];

	snprintf(first, sizeof(first), "%d", (int)getpid());
	read_status(first, text);
	status_line(text, "Threads:", line);
	return (unsigned)atoi(line + strlen("Threads:"));
}

/* ---- a process with a helper ---- */

static void *work(void *arg)
{
	void *blocks[500];
	unsigned i;

	for (i = 0; i < 500; i++) {
		blocks[i] = malloc(i * 20 + 1);
		memset(blocks[i], 1, i * 20 + 1);
	}
	for (i = 0; i < 500; i++)
		free(blocks[i]);
	return arg;
}

static void thread_once(void)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, work, NULL));
	pthread_join(thread, NULL);
}

/* After a thread has ended, so that only the helper may be there. */
static void get_helper(void)
{
	thread_once();
	free(malloc(3 << 20));
}

/* The task that is not the first; 0: there is none, or nobody tells. */
static int helper_task(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int task = 0;

	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) && atoi(entry->d_name) != getpid())
			task = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return task;
}

/* ---- the calls ---- */

static gid_t groups[] = { NOBODY };

static long by_libc_setuid(void) { return setuid(NOBODY); }
static long by_libc_setgid(void) { return setgid(NOBODY); }
static long by_libc_seteuid(void) { return seteuid(NOBODY); }
static long by_libc_setegid(void) { return setegid(NOBODY); }
static long by_libc_setreuid(void) { return setreuid(NOBODY, NOBODY); }
static long by_libc_setregid(void) { return setregid(NOBODY, NOBODY); }
static long by_libc_setresuid(void) { return setresuid(NOBODY, NOBODY, 0); }
static long by_libc_setresgid(void) { return setresgid(NOBODY, NOBODY, 0); }
static long by_libc_setgroups(void) { return setgroups(1, groups); }
static long by_libc_initgroups(void) { return initgroups("nobody", NOBODY); }
static long by_libc_chroot(void) { return chroot("/"); }
static long by_libc_new_user(void) { return unshare(CLONE_NEWUSER); }
static long by_libc_new_mounts(void) { return unshare(CLONE_NEWNS); }
static long by_libc_unshare_vm(void) { return unshare(CLONE_VM); }

static long no_capabilities(long (*call)(void *, void *))
{
	struct __user_cap_header_struct head = {
		_LINUX_CAPABILITY_VERSION_3, 0
	};
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	return call(&head, none);
}

static long capset_libc(void *head, void *data) { return capset(head, data); }
static long capset_raw(void *head, void *data)
{
	return syscall(SYS_capset, head, data);
}

static long by_libc_capset(void) { return no_capabilities(capset_libc); }
static long by_syscall_capset(void) { return no_capabilities(capset_raw); }

static long by_libc_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long by_libc_bounding(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0);
}

static long set_mounts(long (*call)(int))
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	long result = fd < 0 ? -1 : call(fd);

	close(fd);
	return result;
}

static long setns_libc(int fd) { return setns(fd, CLONE_NEWNS); }
static long setns_raw(int fd) { return syscall(SYS_setns, fd, CLONE_NEWNS); }
static long by_libc_setns(void) { return set_mounts(setns_libc); }
static long by_syscall_setns(void) { return set_mounts(setns_raw); }

#define RAW(name, ...) \
	static long by_syscall_##name(void) { return syscall(__VA_ARGS__); }
RAW(setuid, SYS_setuid, NOBODY)
RAW(setgid, SYS_setgid, NOBODY)
RAW(setreuid, SYS_setreuid, NOBODY, NOBODY)
RAW(setregid, SYS_setregid, NOBODY, NOBODY)
RAW(setresuid, SYS_setresuid, NOBODY, NOBODY, 0)
RAW(setresgid, SYS_setresgid, NOBODY, NOBODY, 0)
RAW(setgroups, SYS_setgroups, 1, groups)
RAW(chroot, SYS_chroot, "/")
RAW(new_user, SYS_unshare, CLONE_NEWUSER)
RAW(new_mounts, SYS_unshare, CLONE_NEWNS)
RAW(unshare_vm, SYS_unshare, CLONE_VM)
RAW(no_new_privs, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
RAW(bounding, SYS_prctl, PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0)

/* A new root, which is the old one bound to another place. */
static long mounts_of_its_own(void)
{
	return unshare(CLONE_NEWNS) ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL) ||
	       chdir("/tmp");
}

RAW(pivot_root, SYS_pivot_root, ".", ".")

#define SYS_LANDLOCK_CREATE 444 /* on both architectures */
#define SYS_LANDLOCK_RESTRICT 446
#define LANDLOCK_MAKE_SOCK (1 << 9)
static int ruleset;

static long landlock_rules(void)
{
	uint64_t handled = LANDLOCK_MAKE_SOCK;

	ruleset = (int)syscall(SYS_LANDLOCK_CREATE, &handled, sizeof(handled),
			       0);
	return ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

RAW(landlock, SYS_LANDLOCK_RESTRICT, ruleset, 0)

static const struct call {
	const char *name;
	long (*make)(void);
	long (*prepare)(void);
} calls[] = {
#define CALL(name) { #name, name, NULL }
	CALL(by_libc_setuid), CALL(by_libc_setgid), CALL(by_libc_seteuid),
	CALL(by_libc_setegid), CALL(by_libc_setreuid), CALL(by_libc_setregid),
	CALL(by_libc_setresuid), CALL(by_libc_setresgid),
	CALL(by_libc_setgroups), CALL(by_libc_initgroups),
	CALL(by_libc_capset), CALL(by_libc_no_new_privs),
	CALL(by_libc_bounding), CALL(by_libc_chroot), CALL(by_libc_new_user),
	CALL(by_libc_new_mounts), CALL(by_libc_unshare_vm),
	CALL(by_libc_setns), CALL(by_syscall_setuid), CALL(by_syscall_setgid),
	CALL(by_syscall_setreuid), CALL(by_syscall_setregid),
	CALL(by_syscall_setresuid), CALL(by_syscall_setresgid),
	CALL(by_syscall_setgroups), CALL(by_syscall_capset),
	CALL(by_syscall_no_new_privs), CALL(by_syscall_bounding),
	CALL(by_syscall_chroot), CALL(by_syscall_new_user),
	CALL(by_syscall_new_mounts), CALL(by_syscall_unshare_vm),
	CALL(by_syscall_setns),
	{ "by_syscall_pivot_root", by_syscall_pivot_root, mounts_of_its_own },
	{ "by_syscall_landlock", by_syscall_landlock, landlock_rules },
};

/* Status of a child that runs it: 0, REFUSED, or what it failed of. */
static int in_child(void (*run)(const struct call *), const struct call *call)
{
	pid_t pid = fork();
	int status = 0;

	must(pid >= 0);
	if (!pid) {
		alarm(20);
		run(call);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void make_alone(const struct call *call)
{
	if ((call->prepare && call->prepare()) || call->make())
		_exit(REFUSED);
}

static void make_with_helper(const struct call *call)
{
	int helper;

	must(!call->prepare || !call->prepare());
	get_helper();
	helper = helper_task();
	must(helper);
	errno = 0;
	if (call->make()) {
		fprintf(stderr, "%s: %s\n", call->name, strerror(errno));
		_exit(1);
	}
	must(helper_task() != helper);
	must(tasks_are_equal());
	thread_once();
	free(malloc(3 << 20));
	must(tasks_are_equal());
}

static void test_calls(void)
{
	unsigned nr_refused = 0;
	size_t i;
	int status;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (in_child(make_alone, &calls[i]) == REFUSED) {
			nr_refused++;
			continue;
		}
		status = in_child(make_with_helper, &calls[i]);
		if (status)
			fprintf(stderr, "%s: status %d\n", calls[i].name,
				status);
		must(!status);
	}
	fprintf(stderr, "%u of %zu calls are refused by the system\n",
		nr_refused, sizeof(calls) / sizeof(*calls));
}

/* ---- results and errno are the kernel's ---- */

static void test_results(void)
{
	errno = 0;
	must(syscall(SYS_setns, -1, 0) == -1 && errno == EBADF);
	errno = 4711;
	must(syscall(SYS_getpid) == getpid() && errno == 4711);
	must(setns(-1, 0) == -1 && errno == EBADF);
	must(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0) == -1 && errno == EINVAL);
	must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0);
	must(syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0);
	errno = 4711;
	must(!chroot("/no/such/place") ? 0 : errno == ENOENT || errno == EPERM);
	must(syscall(-1) == -1 && errno == ENOSYS);
	/* The sixth argument is on the stack. */
	must(syscall(SYS_mmap, NULL, 4096, 0, 0x22, -1, 1) == -1 &&
	     errno == EINVAL);
	must(syscall(SYS_mmap, NULL, 4096, 0, 0x22, -1, 0) != -1);
}

/* ---- descriptors ---- */

static void keep_no_descriptor(const struct call *call)
{
	char byte;
	int ends[2];

	(void)call;
	must(!pipe(ends));
	get_helper();
	if (unshare(CLONE_FILES))
		_exit(REFUSED);
	close(ends[1]);
	must(read(ends[0], &byte, 1) == 0);
}

static void test_descriptors(void)
{
	int status = in_child(keep_no_descriptor, NULL);

	must(status == 0 || status == REFUSED);
}

/* ---- exits: the process ends with its last own thread ---- */

static void leave_by_system_call(const struct call *call)
{
	(void)call;
	get_helper();
	syscall(SYS_exit, 0);
}

static void *leave_last(void *arg)
{
	struct timespec pause = { 0, 100000000 };

	nanosleep(&pause, NULL);
	free(malloc(3 << 20));
	syscall(SYS_exit, 0);
	return arg;
}

static void leave_before_another(const struct call *call)
{
	pthread_t thread;

	(void)call;
	must(!pthread_create(&thread, NULL, leave_last, NULL));
	get_helper();
	syscall(SYS_exit, 0);
}

static void leave_by_pthread(const struct call *call)
{
	(void)call;
	get_helper();
	pthread_exit(NULL);
}

static void test_exits(void)
{
	must(!in_child(leave_by_system_call, NULL));
	must(!in_child(leave_before_another, NULL));
	must(!in_child(leave_by_pthread, NULL));
}

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
	unsigned i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (i = 0; i < 100; i++)
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

static void filtered(const struct call *call)
{
	get_helper();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(REFUSED);
	free(malloc(3 << 20));
	if (call->make())
		_exit(REFUSED);
	work_for(300);
}

/* A filter that the kernel refuses leaves no sandbox behind. */
static void refused_filter(const struct call *call)
{
	(void)call;
	get_helper();
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1);
	thread_once();
}

static void strict(const struct call *call)
{
	(void)call;
	get_helper();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(REFUSED);
	work(NULL);
	syscall(SYS_exit, 0);
}

/* Free blocks that end in guard pages, which nobody can clear: others are made
 * around them. */
static void strict_among_guards(const struct call *call)
{
	void *blocks[24];
	unsigned i;

	(void)call;
	free(opaque(malloc(200 << 10))); /* the lanes are there from now on */
	for (i = 0; i < 24; i++)
		blocks[i] = malloc(300 << 10);
	for (i = 0; i < 24; i++)
		free(blocks[i]);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(REFUSED);
	for (i = 0; i < 12; i++)
		memset(opaque(malloc(200 << 10)), 1, 200 << 10);
	syscall(SYS_exit, 0);
}

static void test_sandboxes(void)
{
	static const struct call filters[] = {
		CALL(filter_all_threads), CALL(filter_one_thread),
		CALL(filter_by_prctl),
	};
	size_t i;
	int status;

	for (i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		status = in_child(filtered, &filters[i]);
		if (status && status != REFUSED)
			fprintf(stderr, "%s: status %d\n", filters[i].name,
				status);
		must(!status || status == REFUSED);
	}
	must(!in_child(refused_filter, NULL));
	status = in_child(strict, NULL);
	must(!status || status == REFUSED);
	status = in_child(strict_among_guards, NULL);
	must(!status || status == REFUSED);
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
	unsigned i;

	for (i = 0; i < 1000; i++)
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

static void vfork_beside_refusals(const struct call *call)
{
	atomic_bool stop = false;
	pthread_t thread;
	unsigned i;

	(void)call;
	must(!pthread_create(&thread, NULL, be_refused, &stop));
	for (i = 0; i < 300; i++)
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
static void vfork_into_sandboxes(const struct call *call)
{
	(void)call;
	get_helper();
	vfork_once(work_in_a_filter);
	must(fast_paths_run());
	vfork_once(work_strictly);
	must(fast_paths_run());
	get_helper();
	must(nr_tasks() == 2);
}

static void test_other_sandboxes(void)
{
	if (!has_fast_paths())
		return;
	must(!in_child(vfork_beside_refusals, NULL));
	must(!in_child(vfork_into_sandboxes, NULL));
}

/* ---- an idle process has its own threads alone ---- */

static void idle(const struct call *call)
{
	struct timespec pause = { 0, 20000000 };
	unsigned i;

	(void)call;
	get_helper();
	must(nr_tasks() == 2);
	for (i = 0; i < 500 && nr_tasks() > 1; i++)
		nanosleep(&pause, NULL);
	must(nr_tasks() == 1);
}

static void test_idle(void)
{
	must(!in_child(idle, NULL));
}

int main(int argc, char **argv)
{
	if (argc == 1 && !getenv("LANEMALLOC_CONF")) {
		setenv("LANEMALLOC_CONF", "purge_delay=100", 1);
		execv("/proc/self/exe", argv);
	}
	test_results();
	test_calls();
	test_descriptors();
	test_exits();
	test_sandboxes();
	test_other_sandboxes();
	test_idle();
	return 0;
}
