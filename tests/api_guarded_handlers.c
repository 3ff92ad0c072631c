/* modes: all no-qemu */
/* faults at guarded blocks, and the program's own handlers behind them */
#include "expect.h"

#define ALL "guard=1,profile_interval=1"
#define SIZE ((size_t)100)
#define EXIT_HANDLER 9

static struct child child;
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

static void role_by_sigaction(void)
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

static void role_by_signal(void)
{
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	must(signal(SIGSEGV, on_signal) == on_signal);
	must(signal(SIGUSR1, on_signal) == SIG_DFL);
	misuse();
}

/* Not ours: no report. */
static void role_foreign_fault(void)
{
	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	free(malloc(SIZE));
	sink = *(volatile char *)opaque((char *)0x1000);
}

static void role_foreign_default(void)
{
	free(malloc(SIZE));
	sink = *(volatile char *)opaque((char *)0x1000);
}

static void role_sent(void)
{
	must(signal(SIGSEGV, SIG_IGN) == SIG_DFL);
	raise(SIGSEGV);
	must(signal(SIGSEGV, SIG_DFL) == SIG_IGN);
	raise(SIGSEGV);
}

static void role_once(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };
	struct sigaction old;

	must(!sigaction(SIGSEGV, &action, NULL));
	must(!sigaction(SIGSEGV, NULL, &old));
	must(old.sa_flags & (int)SA_RESETHAND);
	misuse();
}

/* A child of vfork has signals of its own. */
static void role_vfork(void)
{
	pid_t pid;

	must(signal(SIGSEGV, on_signal) == SIG_DFL);
	pid = vfork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(0);
	}
	must(exited_with_zero(pid));
	misuse();
}

static unsigned lines_of(const char *text, const char *piece)
{
	unsigned n = 0;

	while ((text = strstr(text, piece))) {
		text += strlen(piece);
		n++;
	}
	return n;
}

static void handler_check(const char *role, int reports, bool by_handler)
{
	child = (struct child){ .role = role, .conf = ALL };
	child_run(&child);
	if (by_handler)
		assert_int_equal(WEXITSTATUS(child.status), EXIT_HANDLER);
	else
		assert_int_equal(WTERMSIG(child.status), SIGSEGV);
	assert_int_equal(lines_of(child.err, ": use after free: "), reports);
	assert_true(reports || !child.err[0]);
}

TEST(test_the_program_s_handler_comes_after)
{
	need_lane();
	handler_check("by-sigaction", 1, true);
	handler_check("by-signal", 1, true);
	handler_check("once", 1, true);
	handler_check("vfork", 1, true);
	handler_check("foreign-fault", 0, true);
	handler_check("foreign-default", 0, false);
	handler_check("sent", 0, false);
}

static const struct role roles[] = {
	{ "by-sigaction", role_by_sigaction },
	{ "by-signal", role_by_signal },
	{ "once", role_once },
	{ "vfork", role_vfork },
	{ "foreign-fault", role_foreign_fault },
	{ "foreign-default", role_foreign_default },
	{ "sent", role_sent },
};

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
