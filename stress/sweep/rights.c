/* rights: the calls that change the program's rights, without the changes
 *
 * libc's setuid() and its like signal every thread that libc knows and wait
 * for the answers: a thread that is stopped would stop them, which is libc's
 * affair. So behind the library's names stands a function that changes nothing
 * and answers as it is told. At the end of the load the program is in a
 * sandbox, as far as the library knows.
 *
 * What the library does around these calls waits for its helper, as it must:
 * who is in one does not count as blocked while the helper is the victim.
 */
#include "sweep.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "../harness/raw.h"
#include "system/sealed.h"

#define UNSHARED (1 << 1) /* CLOSE_RANGE_UNSHARE */
#define DESCRIPTOR_MOST (1 << 20)
#define LANDLOCK 446

int capset(void *head, const void *data);

static _Atomic(long) answer;

static long answer_only(void)
{
	if (atomic_load(&answer) < 0)
		errno = EPERM;
	return atomic_load(&answer);
}

void rights_replace(void)
{
	union sealed *page = text_symbol("sealed");
	unsigned i;

	for (i = REAL_setuid; page && i < NR_REAL; i++)
		*(long (**)(void))(void *)&page->at.real[i] = answer_only;
}

/* For as long as the load goes on the first thread has fewer capabilities
 * than those that were started before. */
void rights_drop(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	raw_2(SYS_capset, &head, none);
}

static void call_names(void)
{
	gid_t group = 0;

	setuid(0);
	setgid(0);
	seteuid(0);
	setegid(0);
	setreuid(0, 0);
	setregid(0, 0);
	setresuid(0, 0, 0);
	setresgid(0, 0, 0);
	setgroups(1, &group);
	initgroups("root", 0);
	capset(NULL, NULL);
	unshare(CLONE_FS);
	setns(-1, 0);
	if (chroot("/"))
		errno = 0;
	close_range(DESCRIPTOR_MOST, DESCRIPTOR_MOST, UNSHARED);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
	prctl(PR_CAPBSET_DROP, 0, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, 0, 0, 0, 0);
}

static void call_numbers(void)
{
	static const long numbers[] = { SYS_setuid,  SYS_setgroups, SYS_unshare,
					SYS_setns,   SYS_chroot,    LANDLOCK,
					SYS_seccomp, SYS_pivot_root };
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		syscall(numbers[i], 99, 0, 0);
	syscall(SYS_close_range, DESCRIPTOR_MOST, DESCRIPTOR_MOST, UNSHARED);
	syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The kernel refuses them, or some thread cannot take part. */
static void ask_for_sandboxes(void)
{
	atomic_store(&answer, -1);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0);
	syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
	atomic_store(&answer, 1);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
		NULL);
	atomic_store(&answer, 0);
}

/* One that begins while another's lasts. */
static void call_within_another(void)
{
	union {
		void *found;
		uint32_t (*call)(bool *ended);
	} begin = { text_symbol("helper_forbid") };
	union {
		void *found;
		void (*call)(uint32_t token);
	} end = { text_symbol("helper_allow") };
	uint32_t token;
	bool ended;

	if (!begin.found || !end.found)
		return;
	token = begin.call(&ended);
	setuid(0);
	end.call(token);
}

void rights_change(struct worker *w)
{
	load_helper_wait(w);
	call_names();
	call_numbers();
	ask_for_sandboxes();
	call_within_another();
	load_helper_came(w);
}

/* As a thread that dies in a call that filters may kill for: who enters next
 * waits for it, up to a bound. */
static void leave_in_rare_call(void)
{
	_Atomic(uint32_t) *nr = text_symbol("nr_rare");

	if (nr)
		atomic_fetch_add(nr, 1);
}

/* Blocks that end in a guard, which strict mode keeps. */
static void resize_guarded(void *same_units, void *more_units, size_t size)
{
	same_units = realloc(same_units, size - 100);
	more_units = realloc(more_units, size + 64 * KIB);
	free(same_units);
	free(more_units);
	free(malloc(size / 16 - 20 * KIB));
	free(malloc(2 * size - 20 * KIB));
}

/* Each for ever: a filter by one way or the other, then strict mode. */
void rights_enter_filter(struct worker *w)
{
	load_helper_wait(w);
	leave_in_rare_call();
	if (w->random & 1)
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0);
	else
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_TSYNC |
				SECCOMP_FILTER_FLAG_NEW_LISTENER,
			NULL);
	load_helper_came(w);
}

void rights_enter_strict(const struct worker *w)
{
	void *a = malloc(9 * MIB - 20 * KIB), *b = malloc(9 * MIB - 20 * KIB);

	/* What is free is clean, and would have a guard. */
	load_purge();
	leave_in_rare_call();
	if (w->random & 1)
		syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
	else
		syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0,
			0);
	resize_guarded(a, b, 9 * MIB);
}

static void child_of_child(void)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		free(malloc(1000));
		_exit(0);
	}
	if (child > 0)
		waitpid(child, &status, 0);
}

/* In the child of a vfork, whose parent has its helper and is in no sandbox
 * afterwards; some twice. */
void rights_enter_in_child(void)
{
	void *a = malloc(9 * MIB - 20 * KIB), *b = malloc(9 * MIB - 20 * KIB);

	child_of_child();
	setuid(0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0);
	child_of_child();
	load_purge();
	syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	child_of_child();
	resize_guarded(a, b, 9 * MIB);
}

/* One that changes none. */
void rights_ask(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0);
	errno = 0;
}

/* Whether the library knows libc's prctl(); else it asks the loader, whose lock
 * nobody gives back in a child that is a copy. */
bool rights_are_known(void)
{
	const union sealed *page = text_symbol("sealed");

	return page && page->at.real[REAL_prctl];
}

/* Calls that change nothing, by the same names, to whatever is behind them. */
void rights_keep(void)
{
	prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	close_range(DESCRIPTOR_MOST, DESCRIPTOR_MOST, 0);
	syscall(SYS_gettid);
	syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prctl, -1, 0, 0, 0, 0);
	syscall(SYS_close_range, DESCRIPTOR_MOST, DESCRIPTOR_MOST, 0);
	syscall(450 - 1, NULL, 0, 0, NULL, 0); /* futex_waitv, of none */
	errno = 0;
}
