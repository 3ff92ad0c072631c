/* What the program may do changes for all of its process, at once: each call
 * that changes rights, by libc's function and by syscall(), in a process that
 * has (had) threads, whose memory was freed, with a helper alive.
 *
 * What the system refuses to a process of one thread is skipped; without root
 * that is most of it.
 *
 * modes: once no-qemu
 */
#include "rights.h"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>

#define NOBODY 65534

int capset(cap_user_header_t head, const cap_user_data_t data);

/* ---- the tasks ---- */

static bool same_rights(const char *one, const char *other)
{
	static const char *const keys[] = { "\nUid:", "\nGid:", "\nGroups:",
					    "\nCapInh:", "\nCapPrm:",
					    "\nCapEff:", "\nCapBnd:",
					    "\nCapAmb:", "\nNoNewPrivs:" };
	char a[1024], b[1024];

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
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

static long set_mounts(long (*call)(int))
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	long result = fd < 0 ? -1 : call(fd);

	close(fd);
	return result;
}

static long setns_libc(int fd) { return setns(fd, CLONE_NEWNS); }
static long setns_raw(int fd) { return syscall(SYS_setns, fd, CLONE_NEWNS); }

/* Each by libc's function and by syscall(). */
#define CALLS(X)                                                             \
	X(libc_setuid, setuid(NOBODY))                                       \
	X(libc_setgid, setgid(NOBODY))                                       \
	X(libc_seteuid, seteuid(NOBODY))                                     \
	X(libc_setegid, setegid(NOBODY))                                     \
	X(libc_setreuid, setreuid(NOBODY, NOBODY))                           \
	X(libc_setregid, setregid(NOBODY, NOBODY))                           \
	X(libc_setresuid, setresuid(NOBODY, NOBODY, 0))                      \
	X(libc_setresgid, setresgid(NOBODY, NOBODY, 0))                      \
	X(libc_setgroups, setgroups(1, groups))                              \
	X(libc_initgroups, initgroups("nobody", NOBODY))                     \
	X(libc_capset, no_capabilities(capset_libc))                         \
	X(libc_no_new_privs, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))         \
	X(libc_bounding, prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0))      \
	X(libc_chroot, chroot("/"))                                          \
	X(libc_new_user, unshare(CLONE_NEWUSER))                             \
	X(libc_new_mounts, unshare(CLONE_NEWNS))                             \
	X(libc_unshare_vm, unshare(CLONE_VM))                                \
	X(libc_setns, set_mounts(setns_libc))                                \
	X(syscall_setuid, syscall(SYS_setuid, NOBODY))                       \
	X(syscall_setgid, syscall(SYS_setgid, NOBODY))                       \
	X(syscall_setreuid, syscall(SYS_setreuid, NOBODY, NOBODY))           \
	X(syscall_setregid, syscall(SYS_setregid, NOBODY, NOBODY))           \
	X(syscall_setresuid, syscall(SYS_setresuid, NOBODY, NOBODY, 0))      \
	X(syscall_setresgid, syscall(SYS_setresgid, NOBODY, NOBODY, 0))      \
	X(syscall_setgroups, syscall(SYS_setgroups, 1, groups))              \
	X(syscall_capset, no_capabilities(capset_raw))                       \
	X(syscall_no_new_privs,                                              \
	  syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))               \
	X(syscall_bounding,                                                  \
	  syscall(SYS_prctl, PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0))        \
	X(syscall_chroot, syscall(SYS_chroot, "/"))                          \
	X(syscall_new_user, syscall(SYS_unshare, CLONE_NEWUSER))             \
	X(syscall_new_mounts, syscall(SYS_unshare, CLONE_NEWNS))             \
	X(syscall_unshare_vm, syscall(SYS_unshare, CLONE_VM))                \
	X(syscall_setns, set_mounts(setns_raw))

#define DEFINE(name, call) static long by_##name(void) { return call; }
#define ROW(name, call) { "by_" #name, by_##name, NULL },
CALLS(DEFINE)

/* A new root, which is the old one bound to another place. */
static long mounts_of_its_own(void)
{
	return unshare(CLONE_NEWNS) ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL) ||
	       chdir("/tmp");
}

DEFINE(syscall_pivot_root, syscall(SYS_pivot_root, ".", "."))

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

DEFINE(syscall_landlock, syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0))

static const struct call calls[] = {
	CALLS(ROW)
	{ "by_syscall_pivot_root", by_syscall_pivot_root, mounts_of_its_own },
	{ "by_syscall_landlock", by_syscall_landlock, landlock_rules },
};

static void make_alone(void)
{
	if ((tried->prepare && tried->prepare()) || tried->make())
		_exit(REFUSED);
}

static void make_with_helper(void)
{
	int helper;

	must(!tried->prepare || !tried->prepare());
	do
		get_helper();
	while (!(helper = helper_task()));
	errno = 0;
	if (tried->make()) {
		fprintf(stderr, "%s: %s\n", tried->name, strerror(errno));
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
	int status;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
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

/* Whether a call failed so. Behind a filter, as a container has, it may have
 * been refused before. */
static bool failed_by(int error)
{
	return errno == error || (errno == EPERM && prctl(PR_GET_SECCOMP) == 2);
}

static void test_results(void)
{
	errno = 0;
	must(syscall(SYS_setns, -1, 0) == -1 && failed_by(EBADF));
	errno = 4711;
	must(syscall(SYS_getpid) == getpid() && errno == 4711);
	must(setns(-1, 0) == -1 && failed_by(EBADF));
	must(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0) == -1 && errno == EINVAL);
	must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0);
	must(syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0);
	errno = 4711;
	must(!chroot("/no/such/place") ? 0 : errno == ENOENT || errno == EPERM);
	must(syscall(-1) == -1 && failed_by(ENOSYS));
	/* The sixth argument is on the stack. */
	must(syscall(SYS_mmap, NULL, 4096, 0, 0x22, -1, 1) == -1 &&
	     errno == EINVAL);
	must(syscall(SYS_mmap, NULL, 4096, 0, 0x22, -1, 0) != -1);
}

/* ---- descriptors ---- */

static void keep_no_descriptor(void)
{
	char byte;
	int ends[2];

	must(!pipe(ends));
	get_helper();
	if (unshare(CLONE_FILES))
		_exit(REFUSED);
	close(ends[1]);
	must(read(ends[0], &byte, 1) == 0);
}

static void test_descriptors(void)
{
	passes_or_is_refused(keep_no_descriptor);
}

/* ---- exits: the process ends with its last own thread ---- */

static void leave_by_system_call(void)
{
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

static void leave_before_another(void)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, leave_last, NULL));
	get_helper();
	syscall(SYS_exit, 0);
}

static void leave_by_pthread(void)
{
	get_helper();
	pthread_exit(NULL);
}

static void test_exits(void)
{
	must(!in_child(leave_by_system_call, NULL));
	must(!in_child(leave_before_another, NULL));
	must(!in_child(leave_by_pthread, NULL));
}

/* ---- an idle process has its own threads alone ---- */

static void idle(void)
{
	struct timespec pause = { 0, 20000000 };

	see_helper();
	while (nr_tasks() > 1)
		nanosleep(&pause, NULL);
}

static void test_idle(void)
{
	must(!in_child(idle, NULL));
}

int main(int argc, char **argv)
{
	purge_soon(argc, argv);
	test_results();
	test_calls();
	test_descriptors();
	test_exits();
	test_idle();
	return 0;
}
