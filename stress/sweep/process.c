/* process: a child with its threads, and how it ends
 *
 * The threads are started behind the library's back: where it starts anew they
 * are there before that. They wait until child_start().
 */
#include "sweep.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../harness/raw.h"

struct cell *cell;

static _Atomic(uint32_t) started, changed;

_Noreturn void child_fail(enum outcome outcome, const char *what)
{
	uint32_t none = NOT_RUN;

	/* The first fault counts. */
	if (cell &&
	    atomic_compare_exchange_strong(&cell->outcome, &none, outcome))
		snprintf(cell->text, sizeof(cell->text), "%s", what);
	else if (!cell)
		dprintf(2, "%s: %s\n", program_invocation_short_name, what);
	_exit(1);
}

static void futex(_Atomic(uint32_t) *word, int op, uint32_t value,
		  const struct timespec *time)
{
	raw_4(SYS_futex, word, op, value, time);
}

void child_wait_for_start(void)
{
	while (!atomic_load(&started))
		futex(&started, FUTEX_WAIT_PRIVATE, 0, NULL);
}

void child_start(void)
{
	atomic_store(&started, 1);
	futex(&started, FUTEX_WAKE_PRIVATE, 1000, NULL);
}

void child_wait_for_call(struct worker *w)
{
	while (!atomic_load(&w->called))
		futex(&w->called, FUTEX_WAIT_PRIVATE, 0, NULL);
}

void child_call(struct worker *w)
{
	atomic_store(&w->called, 1);
	futex(&w->called, FUTEX_WAKE_PRIVATE, 1, NULL);
}

void child_wake(void)
{
	atomic_fetch_add(&changed, 1);
	futex(&changed, FUTEX_WAKE_PRIVATE, 1, NULL);
}

void child_wait_unless(bool (*done)(void))
{
	const struct timespec pause = { 0, 500000 };
	uint32_t seen = atomic_load(&changed);

	if (!done())
		futex(&changed, FUTEX_WAIT_PRIVATE, seen, &pause);
}

void thread_start(void *(*run)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	pthread_attr_t attr;
	pthread_t thread;

	*(void **)(void *)&create = dlsym(libc, "pthread_create");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!create || create(&thread, &attr, run, arg))
		child_fail(CRASHED, "no thread");
}

static void on_fault(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	uintptr_t rip = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	char line[240], where[200] = "other code";

	if (text_has(rip))
		text_where((uint32_t)(rip - text_base()), where, sizeof(where));
	snprintf(line, sizeof(line), "signal %d code %d at address %p by %s",
		 sig, info->si_code, info->si_addr, where);
	child_fail(CRASHED, line);
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(sig, &action, NULL);
}

void child_handle(void (*on_trap)(int, siginfo_t *, void *))
{
	handle(SIGTRAP, on_trap);
	handle(SIGSEGV, on_fault);
	handle(SIGBUS, on_fault);
	handle(SIGILL, on_fault);
	handle(SIGABRT, on_fault);
}
