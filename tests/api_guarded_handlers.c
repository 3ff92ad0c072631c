/* modes: all no-qemu */
/* faults at guarded blocks, and the program's own handlers behind them */
#include "expect.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define ALL "guard=1,profile_interval=1"
#define SIZE ((size_t)100)
#define EXIT_HANDLER 9

static volatile char sink;

static void on_signal(int signal)
{
	(void)signal;
	_exit(EXIT_HANDLER);
}

static void on_info(int signal, siginfo_t *info, void *context)
{
	must(signal == SIGSEGV && info->si_addr && context);
	_exit(EXIT_HANDLER);
}

static void misuse(void)
{
	char *p = malloc(SIZE);

	free(p);
	sink = *(volatile char *)opaque(p);
}

ROLE(by_sigaction)
{
	struct sigaction old, action = { .sa_sigaction = on_info,
					 .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaddset(&action.sa_mask, SIGUSR1);
	must(!sigaction(SIGSEGV, &action, &old));
	must(old.sa_handler == SIG_DFL && !(old.sa_flags & SA_SIGINFO));
	must(!sigaction(SIGSEGV, NULL, &old));
	must(old.sa_sigaction == on_info);
	must((old.sa_flags & (SA_SIGINFO | SA_NODEFER)) ==
	     (SA_SIGINFO | SA_NODEFER));
	must(sigismember(&old.sa_mask, SIGUSR1) == 1);
	misuse();
}

ROLE(by_signal)
{
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	must(signal(SIGSEGV, on_signal) == on_signal);
	must(signal(SIGUSR1, on_signal) == SIG_DFL);
	misuse();
}

/* Not ours: no report. */
ROLE(foreign_fault)
{
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	free(malloc(SIZE));
	sink = *(volatile char *)opaque((char *)0x1000);
}

ROLE(foreign_default)
{
	free(malloc(SIZE));
	sink = *(volatile char *)opaque((char *)0x1000);
}

ROLE(sent)
{
	must(signal(SIGSEGV, SIG_IGN) == SIG_DFL);
	raise(SIGSEGV);
	must(signal(SIGSEGV, SIG_DFL) == SIG_IGN);
	raise(SIGSEGV);
}

ROLE(once)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };
	struct sigaction old;

	must(!sigaction(SIGSEGV, &action, NULL));
	must(!sigaction(SIGSEGV, NULL, &old));
	must(old.sa_flags & (int)SA_RESETHAND);
	misuse();
}

static void vfork_once(void)
{
	pid_t pid = vfork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(0);
	}
	must(exited_with_zero(pid));
}

/* A child of vfork has signals of its own. */
ROLE(vfork)
{
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	vfork_once();
	misuse();
}

/* Also the first thing that the process does. */
ROLE(vfork_first)
{
	vfork_once();
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	misuse();
}

static void *send_and_write(void *arg)
{
	pthread_t *reader = arg;
	int *pipe = (int *)(reader + 1);

	for (unsigned i = 0; i < 100; i++) {
		pthread_kill(*reader, SIGSEGV);
		usleep(1000);
	}
	must(write(pipe[1], "x", 1) == 1);
	return NULL;
}

/* What is ignored interrupts no call. */
ROLE(ignored)
{
	struct {
		pthread_t reader;
		int pipe[2];
	} at = { .reader = pthread_self() };
	pthread_t thread;
	char c;

	must(signal(SIGSEGV, SIG_IGN) == SIG_DFL);
	must(!pipe(at.pipe));
	must(!pthread_create(&thread, NULL, send_and_write, &at));
	must(read(at.pipe[0], &c, 1) == 1);
	pthread_join(thread, NULL);
	_exit(EXIT_HANDLER);
}

#define KILLED_FOR(nr)                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void *allocate(void *arg)
{
	for (unsigned i = 0; i < 1000; i++)
		free(malloc(SIZE));
	return arg;
}

/* A filter may kill for asking who one is; also a thread that was not there
 * before asks for nothing. */
ROLE(filter)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILLED_FOR(SYS_getpid),
		KILLED_FOR(SYS_gettid),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter
	};

	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	allocate(NULL);
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	thread_run(allocate, NULL);
	_exit(EXIT_HANDLER);
}

static void handler_check(const char *role, int reports, bool by_handler)
{
	role_ends(role, ALL);
	if (by_handler)
		assert_int_equal(WEXITSTATUS(child.status), EXIT_HANDLER);
	else
		assert_int_equal(WTERMSIG(child.status), SIGSEGV);
	assert_int_equal(lines_of(child.err, ": use after free: "), reports);
	assert_true(reports || !child.err[0]);
}

TEST_LANE(test_the_program_s_handler_comes_after)
{
	handler_check("by_sigaction", 1, true);
	handler_check("by_signal", 1, true);
	handler_check("once", 1, true);
	handler_check("vfork", 1, true);
	handler_check("vfork_first", 1, true);
	handler_check("ignored", 0, true);
	handler_check("filter", 0, true);
	handler_check("foreign_fault", 0, true);
	handler_check("foreign_default", 0, false);
	handler_check("sent", 0, false);
}

API_MAIN(NULL, NULL)
