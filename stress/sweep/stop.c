/* stop: the trap, and what the victim does in it */
#include "sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "raw.h"

#define TRAP_FLAG 0x100

struct stop stop;

static _Atomic(uint32_t) nr_hits;
static _Atomic(bool) taken; /* there is a victim, or none is wanted now */
static pid_t process;

/* ---- who it is ---- */

static int worker_now(void)
{
	int tid = (int)raw_0(SYS_gettid), i;

	for (i = 0; i < NR_WORKERS; i++)
		if (atomic_load(&cell->tids[i]) == tid)
			return i;
	return BARE;
}

/* ---- the modes ---- */

_Noreturn static void sleep_for_ever(void)
{
	for (;;)
		raw_0(SYS_pause);
}

_Noreturn static void end_here(void)
{
	for (;;)
		raw_1(SYS_exit, 0);
}

/* The child says itself how it gets on; the server waits for that. */
static void fork_here(void)
{
	pid_t child = _Fork();
	int status = 0;
	char line[100];

	if (!child)
		load_in_child();
	if (child < 0)
		child_fail(CRASHED, "fork failed");
	atomic_store(&cell->fork_child, child);
	while (raw_4(SYS_wait4, child, &status, 0, 0) == -EINTR)
		;
	atomic_store(&cell->fork_child, 0);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	snprintf(line, sizeof(line), "the fork's child ended with status %#x",
		 status);
	child_fail(CRASHED, line);
}

/* On the library's own threads, and on a borrowed one, only what needs no
 * libc: they never run a program's handler. */
static void be_victim(int who, bool borrowed)
{
	bool bare = who < 0 || borrowed;
	int saved;

	switch (stop.mode) {
	case 'a':
		sleep_for_ever();
	case 'b':
		end_here();
	case 'c':
		if (bare)
			break;
		workers[who].left = true;
		siglongjmp(workers[who].jump, 1);
	case 'd':
		if (bare)
			break;
		saved = errno;
		load_in_handler(&workers[who]);
		errno = saved;
		return;
	case 'e':
		if (bare)
			break;
		saved = errno;
		seldom_fork_begins(&workers[who]);
		fork_here();
		seldom_fork_ends();
		errno = saved;
		return;
	}
	raw_sleep_us(2000);
}

/* ---- the trap ---- */

static void note_reached(uint32_t offset)
{
	long i = text_find_offset(offset);

	if (i >= 0 && stop.reached)
		stop.reached[i]++;
}

/* Here and there a nap, so that others come between two instructions. */
static void nap_by_chance(uint32_t offset)
{
	uint32_t x = (offset + stop.luck) * 0x9e3779b1u;

	if (!(x >> 16 & 31))
		raw_sleep_us(60);
}

static void spend(uint32_t offset)
{
	if (!text_is_armed(offset))
		return;
	text_disarm(offset);
	note_reached(offset);
	nap_by_chance(offset);
}

static void spend_section(uint32_t start, uint32_t end)
{
	for (; start < end; start++)
		spend(start);
}

static uint32_t target(void)
{
	return text.all[stop.instruction].offset;
}

static bool target_in_section;
static void look_for_target(uint32_t start, uint32_t end)
{
	if (target() >= start && target() < end)
		target_in_section = true;
}

/* Whether this trap is the target's; where all are armed, those of sections
 * are told by the abort handler that the kernel went to. */
static bool is_target(uint32_t offset, bool at_rip)
{
	if (!stop.shake)
		return true;
	if (at_rip)
		return offset == target();
	target_in_section = false;
	text_each_section(offset, look_for_target);
	return target_in_section;
}

static void step_over(ucontext_t *context)
{
	text_disarm(target());
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

/* The target; who comes first, or k-th, is the victim. */
static void at_target(ucontext_t *context)
{
	uint32_t hit = atomic_fetch_add(&nr_hits, 1) + 1;
	bool none = false, borrowed = (pid_t)raw_0(SYS_getpid) != process;
	int who;

	if (atomic_load(&taken)) {
		text_disarm(target());
		return;
	}
	if (hit < stop.hit) {
		step_over(context);
		return;
	}
	if (!atomic_compare_exchange_strong(&taken, &none, true))
		return;
	text_disarm(target());
	who = worker_now();
	/* A vfork's child: its parent stands still as long as it does. */
	if (borrowed && who < 0)
		who = 0;
	if (who >= 0 && strchr("abc", stop.mode))
		cell->hand_size =
			workers[who].hand[0].size + workers[who].hand[1].size;
	atomic_store(&cell->trap,
		     (uint32_t)((uintptr_t)context->uc_mcontext.gregs[REG_RIP] -
				text_base()));
	atomic_store(&cell->borrowed, borrowed);
	atomic_store(&cell->victim, who);
	be_victim(who, borrowed);
}

static void stepped(ucontext_t *context)
{
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	if (!atomic_load(&taken))
		text_arm(target());
}

static void on_trap(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	uintptr_t rip = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	uint32_t offset;
	bool at_rip;

	(void)sig;
	if (info->si_code == TRAP_TRACE) {
		stepped(context);
		return;
	}
	/* The byte behind the int3; or, where the kernel aborted a section,
	 * the abort handler, before which lies the signature: no instruction
	 * that counts. */
	offset = (uint32_t)(rip - 1 - text_base());
	at_rip = text_has(rip - 1) && text_find_offset(offset) >= 0;
	if (at_rip)
		context->uc_mcontext.gregs[REG_RIP] = (greg_t)(rip - 1);
	else
		offset = (uint32_t)(rip - text_base());
	if (!stop.survey && is_target(offset, at_rip)) {
		at_target(context);
		return;
	}
	if (at_rip)
		spend(offset);
	else
		text_each_section(offset, spend_section);
}

static void on_fault(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	uintptr_t rip = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	char line[240];
	int n;

	n = snprintf(line, sizeof(line),
		     "signal %d code %d at address %p, worker %d, by ", sig,
		     info->si_code, info->si_addr, worker_now());
	if (text_has(rip))
		text_where((uint32_t)(rip - text_base()), line + n,
			   sizeof(line) - (size_t)n);
	else
		snprintf(line + n, sizeof(line) - (size_t)n, "code at %#lx",
			 (unsigned long)rip);
	child_fail(CRASHED, line);
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(sig, &action, NULL);
}

void stop_prepare(void)
{
	uint32_t i;

	process = getpid();
	handle(SIGTRAP, on_trap);
	handle(SIGSEGV, on_fault);
	handle(SIGBUS, on_fault);
	handle(SIGILL, on_fault);
	handle(SIGABRT, on_fault);
	if (stop.nothing)
		return;
	text_make_writable();
	if (stop.survey || stop.shake)
		for (i = 0; i < text.nr; i++)
			text_arm(text.all[i].offset);
	if (!stop.survey)
		text_arm(target());
}

void stop_ignore(void)
{
	atomic_store(&taken, true);
}

void stop_finish(void)
{
	uint32_t i;

	stop_ignore();
	if (stop.nothing)
		return;
	if (!stop.survey && !stop.shake) {
		text_disarm(target());
		return;
	}
	for (i = 0; i < text.nr; i++)
		text_disarm(text.all[i].offset);
}
