/* stop: the trap */
#include "sweep.h"

#include <sys/ucontext.h>
#include <unistd.h>

#include "../harness/raw.h"

#define TRAP_FLAG 0x100

struct stop stop;

static _Atomic(uint32_t) nr_hits;
static _Atomic(bool) ignored; /* no victim is wanted now */
static pid_t process;

/* ---- who it is ---- */

static int worker_now(void)
{
	int tid = (int)raw_0(SYS_gettid), i;

	for (i = 0; i < NR_THREADS; i++)
		if (atomic_load(&cell->tids[i]) == tid)
			return i;
	return BARE;
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

static uint32_t target(unsigned t)
{
	return text.all[stop.targets[t]].offset;
}

/* A target of each section that the kernel may have aborted. */
static unsigned target_in_section;
static void look_for_target(uint32_t start, uint32_t end)
{
	unsigned t;

	for (t = 0; t < stop.nr_targets; t++)
		if (target(t) >= start && target(t) < end)
			target_in_section = t;
}

/* Whose trap this is; nr_targets: none's. Where all are armed, those of
 * sections are told by the abort handler that the kernel went to. */
static unsigned target_find(uint32_t offset, bool at_rip)
{
	unsigned t = 0;

	if (!stop.shake && stop.nr_targets == 1)
		return 0;
	while (t < stop.nr_targets && (!at_rip || target(t) != offset))
		t++;
	if (at_rip)
		return t;
	target_in_section = stop.nr_targets;
	text_each_section(offset, look_for_target);
	return target_in_section;
}

/* Where there is one target. */
static void step_over(ucontext_t *context)
{
	text_disarm(target(0));
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static bool has_victim(unsigned t)
{
	return atomic_load(&ignored) || atomic_load(&cell->met) >> t & 1;
}

bool stop_loses_several(void)
{
	return stop.nr_targets > 1 && mode_loses(stop.mode);
}

/* Targets that are not armed while somebody passes who may not be lost. A
 * section would be aborted again and again: it takes until another worker's
 * next step. */
static _Atomic(uint32_t) passed;

static void pass(unsigned t)
{
	text_disarm(target(t));
	atomic_fetch_or(&passed, 1u << t);
}

void stop_again(void)
{
	uint32_t again = atomic_load(&passed) ? atomic_exchange(&passed, 0) : 0;
	unsigned t;

	for (t = 0; t < stop.nr_targets; t++)
		if (again >> t & 1 && !has_victim(t))
			text_arm(target(t));
}

/* Its blocks are in doubt; and who stays away need not finish. A vfork's child
 * that ends lets its parent go on. */
static void note_lost(unsigned t, int who, bool borrowed)
{
	const struct worker *w = &workers[who];

	atomic_store(&cell->hand_sizes[t], w->hand[0].size + w->hand[1].size);
	if (stop.mode == 'c' || (stop.mode == 'b' && borrowed))
		return;
	if (stop_loses_several())
		child_succeed(w);
	atomic_fetch_or(&cell->lost, 1u << who);
}

/* A target; who comes first, or k-th, is the victim. */
static void at_target(ucontext_t *context, unsigned t)
{
	uint32_t hit = atomic_fetch_add(&nr_hits, 1) + 1;
	bool borrowed = (pid_t)raw_0(SYS_getpid) != process;
	int who = worker_now();

	if (has_victim(t)) {
		text_disarm(target(t));
		return;
	}
	if (stop_loses_several() && (who < 0 || !workers[who].index)) {
		pass(t);
		return;
	}
	if (hit < stop.hit) {
		step_over(context);
		return;
	}
	if (atomic_fetch_or(&cell->met, 1u << t) >> t & 1)
		return;
	text_disarm(target(t));
	/* A vfork's child: its parent stands still as long as it does. */
	if (borrowed && who < 0)
		who = 0;
	if (who == BARE)
		atomic_fetch_or(&cell->bare, 1u << t);
	atomic_store(&cell->trap,
		     (uint32_t)((uintptr_t)context->uc_mcontext.gregs[REG_RIP] -
				text_base()));
	atomic_store(&cell->victim, who);
	if (who >= 0 && mode_loses(stop.mode))
		note_lost(t, who, borrowed);
	/* On the library's own threads, and on a borrowed one, only what needs
	 * no libc: they never run a program's handler. */
	fate_meet(stop.mode, who < 0 || borrowed ? NULL : &workers[who], true);
}

static void stepped(ucontext_t *context)
{
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	if (!has_victim(0))
		text_arm(target(0));
}

static void on_trap(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	uintptr_t rip = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	uint32_t offset;
	unsigned t;
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
	t = stop.survey ? stop.nr_targets : target_find(offset, at_rip);
	if (t < stop.nr_targets) {
		at_target(context, t);
		return;
	}
	if (at_rip)
		spend(offset);
	else
		text_each_section(offset, spend_section);
}

void stop_prepare(void)
{
	uint32_t i;

	process = getpid();
	child_handle(on_trap);
	if (stop.nothing)
		return;
	text_make_writable();
	if (stop.survey || stop.shake)
		for (i = 0; i < text.nr; i++)
			text_arm(text.all[i].offset);
	for (i = 0; i < stop.nr_targets; i++)
		text_arm(target(i));
}

void stop_ignore(void)
{
	atomic_store(&ignored, true);
}

void stop_finish(void)
{
	uint32_t i;

	stop_ignore();
	if (stop.nothing)
		return;
	for (i = 0; i < stop.nr_targets; i++)
		text_disarm(target(i));
	if (!stop.survey && !stop.shake)
		return;
	for (i = 0; i < text.nr; i++)
		text_disarm(text.all[i].offset);
}
