/* layer 4.14: catch: faults at guarded blocks; contract in catch.h */
#define _GNU_SOURCE
#include "guard/catch.h"

#include <ucontext.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "guard/colour_fault.h"
#include "guard/misuse.h"
#include "guard/who.h"
#include "system/mte.h"
#include "system/sealed.h"
#include "system/threads.h"

#define WORD_INFO bits_one(63)
#define WORD_ONCE bits_one(62)
#define WORD_HANDLER bits_low(62)

typedef void info_handler(int signal, siginfo_t *info, void *context);

static _Atomic(uint32_t) started;     /* atomic: hint, set once */
static _Atomic(uint64_t) programs[2]; /* atomic: SIGSEGV's, SIGBUS's */

static _Atomic(uint64_t) *word_of(int signal)
{
	return &programs[signal == SIGBUS];
}

static uint64_t word_pack(const struct sigaction *action)
{
	uint64_t word = (uintptr_t)action->sa_sigaction;

	if (action->sa_flags & SA_SIGINFO)
		word |= WORD_INFO;
	if (action->sa_flags & (int)SA_RESETHAND)
		word |= WORD_ONCE;
	return word;
}

static bool word_is(uint64_t word, void (*handler)(int))
{
	return (word & WORD_HANDLER) == (uintptr_t)handler;
}

static int sigaction_real(int signal, const struct sigaction *action,
			  struct sigaction *old)
{
	catch_sigaction_fn *real = sealed.at.real[REAL_sigaction];

	/* A static program's is not wrapped. */
	return real ? real(signal, action, old) :
		      sigaction(signal, action, old);
}

/* Lets the default action come: the instruction faults again; what was sent
 * comes again. */
static void default_action(int signal, const siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction_real(signal, &action, NULL);
	if (info->si_code <= 0 || colour_fault_is_late(info))
		system_raise(signal);
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
	uint64_t word = load_relaxed(word_of(signal)); // hint
	union {
		uintptr_t word;
		info_handler *with_info;
		void (*plain)(int);
	} handler = { word & WORD_HANDLER };

	if (word_is(word, SIG_IGN) && info->si_code <= 0)
		return;
	if (word_is(word, SIG_DFL) || word_is(word, SIG_IGN)) {
		default_action(signal, info);
		return;
	}
	if (word & WORD_ONCE)
		cas_relaxed(word_of(signal), &word, (uintptr_t)SIG_DFL); // hint
	if (word & WORD_INFO)
		handler.with_info(signal, info, context);
	else
		handler.plain(signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	enum misuse_end end = MISUSE_NONE;

	if (colour_fault_is(info))
		colour_fault_tell(info, context);
	else if (info->si_code > 0)
		end = misuse_access((uintptr_t)mte_plain(info->si_addr),
				    context);
	if (end != MISUSE_GOES_ON)
		pass_on(signal, info, context);
}

/* Makes what the kernel is to have. */
static struct sigaction action_ours(const struct sigaction *program)
{
	struct sigaction ours = *program;
	uint64_t word = word_pack(program);

	if (word_is(word, SIG_DFL) || word_is(word, SIG_IGN)) {
		ours.sa_flags = SA_ONSTACK | SA_RESTART;
		sigemptyset(&ours.sa_mask);
	}
	ours.sa_flags = (ours.sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO |
			colour_fault_flags();
	ours.sa_sigaction = on_fault;
	return ours;
}

static void action_restore(struct sigaction *action, uint64_t word)
{
	action->sa_flags &= ~(SA_SIGINFO | colour_fault_flags());
	if (word & WORD_INFO)
		action->sa_flags |= SA_SIGINFO;
	if (word & WORD_ONCE)
		action->sa_flags |= (int)SA_RESETHAND;
	action->sa_sigaction = (info_handler *)(word & WORD_HANDLER);
}

static void catch_signal(int signal)
{
	struct sigaction program, ours;

	if (sigaction_real(signal, NULL, &program))
		return;
	store_relaxed(word_of(signal), word_pack(&program)); // before publish
	ours = action_ours(&program);
	sigaction_real(signal, &ours, NULL);
}

void catch_start(void)
{
	catch_signal(SIGSEGV);
	catch_signal(SIGBUS);
	store_relaxed(&started, 1); // hint: at start, others come later
}

bool catch_has(int signal)
{
	return (signal == SIGSEGV || signal == SIGBUS) &&
	       load_relaxed(&started) && !who_borrows_memory();
}

int catch_change(catch_sigaction_fn *real, int signal,
		 const struct sigaction *action, struct sigaction *old)
{
	uint64_t word = load_relaxed(word_of(signal)); // hint
	struct sigaction ours, was;
	int result;

	if (action)
		ours = action_ours(action);
	result = real(signal, action ? &ours : NULL, &was);
	if (result)
		return result;
	if (action)
		word = take_relaxed(word_of(signal), word_pack(action)); // hint
	if (old) {
		*old = was;
		action_restore(old, word);
	}
	return 0;
}
