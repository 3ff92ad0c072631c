/* trap: the trap flag of one thread at a time
 *
 * A trap inside an rseq section makes the kernel move the thread to the
 * section's abort handler before it delivers the signal. To let a section run
 * whole the flag is cleared at the instruction that arms it, and an int3 is
 * planted wherever the section may be left: at its end, at its exits (the
 * library's table of them is made for debuggers that do this), at its abort
 * handler. The first of these that traps clears them all.
 *
 * A stop at a known step needs no stepping: the steps before it are known from
 * a run that was stepped. Its instruction gets an int3, the n-th that comes by
 * is the victim, and in manner ABORTING all sections get one at their first
 * instruction, so that each is aborted as it was then.
 *
 * A thread or child that is cloned would inherit the flag, and trap with the
 * signal blocked: there, and where the library blocks signals before, the
 * steps end.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#define TRAP_FLAG 0x100
#define INT3 0xcc
#define EXITS_MOST 4
#define BATCH 128 /* rounds of a loop in a section, at most */

const char *const manner_names[NR_MANNERS] = { "aborting", "whole" };

struct steps steps;
bool (*trap_other)(ucontext_t *context);

struct section {
	uint32_t arm, start, end, abort;
	uint32_t exits[EXITS_MOST];
	unsigned nr_exits;
	unsigned nr_instructions; /* of the longest way through */
};
static struct section *sections;
static size_t nr_sections;

static _Atomic(int) stepper;       /* its thread id; 0: nobody steps */
static _Atomic(uint64_t) nr_traps; /* of who steps, in whose code ever */
static uint32_t last; /* offset of the step before; 0: not the library's */

/* ---- the sections, from the library's tables ---- */

struct descriptor {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

static uint32_t offset_of(uint64_t address)
{
	return (uint32_t)(address - text_base());
}

/* As if each instruction runs, and those of a loop BATCH times. A loop is
 * found by the short jump back that closes it. */
static unsigned section_length(const struct section *s)
{
	long first = text_find_offset(s->start), i, target, k;
	unsigned n = 0;

	for (i = first; text.all[i].offset < s->end; i++, n++) {
		const unsigned char *at =
			(const unsigned char *)text_base() + text.all[i].offset;

		if ((at[0] & 0xf0) != 0x70 || !(at[1] & 0x80))
			continue;
		target = (long)text.all[i + 1].offset + (int8_t)at[1];
		for (k = i; k > first && text.all[k].offset > target; k--)
			n += BATCH;
	}
	return n;
}

static void section_add(const struct descriptor *d, const uint64_t *exits,
			size_t nr_exits)
{
	struct section *s = &sections[nr_sections++];
	long at;
	size_t i;

	s->start = offset_of(d->start);
	s->end = offset_of(d->start + d->length);
	s->abort = offset_of(d->abort);
	at = text_find_offset(s->start);
	if (at < 1)
		die("a section begins at no instruction");
	s->arm = text.all[at - 1].offset;
	s->nr_instructions = section_length(s);
	for (i = 0; i + 1 < nr_exits; i += 2) {
		if (exits[i] != d->start)
			continue;
		if (s->nr_exits == EXITS_MOST)
			die("a section with too many exits");
		s->exits[s->nr_exits++] = offset_of(exits[i + 1]);
	}
}

static void sections_find(void)
{
	size_t size, exits_size, i;
	const struct descriptor *all = text_table("__rseq_cs", &size);
	const uint64_t *exits =
		text_table("__rseq_exit_point_array", &exits_size);

	sections = calloc(size / sizeof(*all) + 1, sizeof(*sections));
	for (i = 0; i < size / sizeof(*all); i++)
		section_add(&all[i], exits, exits_size / sizeof(*exits));
}

static const struct section *section_at_arm(uint32_t offset)
{
	size_t i;

	for (i = 0; i < nr_sections; i++)
		if (sections[i].arm == offset)
			return &sections[i];
	return NULL;
}

static bool is_abort(uint32_t offset)
{
	size_t i;

	for (i = 0; i < nr_sections; i++)
		if (sections[i].abort == offset)
			return true;
	return false;
}

/* ---- int3 where a section may be left ---- */

static struct planted {
	uint32_t offset;
	unsigned char byte;
} planted[EXITS_MOST + 2];
static volatile unsigned nr_planted;

static volatile unsigned char *byte_at(uint32_t offset)
{
	return (unsigned char *)(text_base() + offset);
}

static void plant(uint32_t offset)
{
	unsigned i;

	for (i = 0; i < nr_planted; i++)
		if (planted[i].offset == offset)
			return;
	planted[nr_planted++] = (struct planted){ offset, *byte_at(offset) };
	*byte_at(offset) = INT3;
}

static void plant_all(const struct section *s)
{
	unsigned i;

	for (i = 0; i < s->nr_exits; i++)
		plant(s->exits[i]);
	plant(s->end);
	plant(s->abort);
	steps.nr_sections++;
	steps.nr_inside += s->nr_instructions;
}

static void clear_planted(void)
{
	while (nr_planted) {
		nr_planted--;
		*byte_at(planted[nr_planted].offset) = planted[nr_planted].byte;
	}
}

static bool is_planted(uint32_t offset)
{
	unsigned i;

	for (i = 0; i < nr_planted; i++)
		if (planted[i].offset == offset)
			return true;
	return false;
}

/* ---- the trap ---- */

static void flag_set(ucontext_t *context, bool on)
{
	greg_t *flags = &context->uc_mcontext.gregs[REG_EFL];

	*flags = on ? *flags | TRAP_FLAG : *flags & ~(greg_t)TRAP_FLAG;
}

static bool ends_next(const ucontext_t *context)
{
	const greg_t *regs = context->uc_mcontext.gregs;
	const unsigned char *at = (const unsigned char *)regs[REG_RIP];
	long nr = regs[REG_RAX];

	return at[0] == 0x0f && at[1] == 0x05 &&
	       (nr == SYS_rt_sigprocmask || nr == SYS_clone ||
		nr == SYS_clone3 || nr == SYS_fork || nr == SYS_vfork);
}

static void note_step(uint32_t offset)
{
	long i;

	steps.nr++;
	steps.at = offset;
	steps.nr_aborts += is_abort(offset);
	if (steps.trace && steps.nr <= steps.trace_most)
		steps.trace[steps.nr - 1] = offset;
	if (steps.nr % 1024 == 0)
		atomic_fetch_add(&cell->progress, 1);
	if (!steps.reached)
		return;
	i = text_find_offset(offset);
	if (i >= 0)
		steps.reached[i] = 1;
}

/* Goes on without the flag up to the int3 at that offset. */
static void run_to(ucontext_t *context, uint32_t offset)
{
	plant(offset);
	flag_set(context, false);
}

/* No more steps. */
static void drop(ucontext_t *context)
{
	flag_set(context, false);
	atomic_store(&stepper, 0);
}

static bool is_jump(uint32_t offset)
{
	const unsigned char *at = (const unsigned char *)text_base() + offset;

	return at[0] == 0xe9 || at[0] == 0xeb ||
	       (at[0] == 0xff && (at[1] == 0x25 || at[1] == 0xe0));
}

/* A function of libc that the library has just called runs through. One that
 * it has jumped to is its end: it may be a memset of any length. */
static void leave_library(ucontext_t *context)
{
	uintptr_t rsp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
	uint32_t to = offset_of(*(const uintptr_t *)rsp);
	long i = last ? text_find_offset(last) : -1;

	if (i >= 0 && i + 1 < (long)text.nr && text.all[i + 1].offset == to)
		run_to(context, to);
	else if (i >= 0 && is_jump(last))
		drop(context);
	last = 0;
}

/* rep movs, rep stos: one step, however many rounds. */
static bool is_string(const unsigned char *at)
{
	if (at[0] != 0xf3)
		return false;
	at += at[1] == 0x48 ? 2 : 1;
	return at[0] == 0xa4 || at[0] == 0xa5 || at[0] == 0xaa || at[0] == 0xab;
}

static void pass_through(ucontext_t *context, uint32_t offset)
{
	const struct section *s;
	long i = text_find_offset(offset);

	if (i >= 0 && is_string((const unsigned char *)text_base() + offset)) {
		run_to(context, text.all[i + 1].offset);
		return;
	}
	s = steps.manner == WHOLE ? section_at_arm(offset) : NULL;
	if (!s)
		return;
	plant_all(s);
	flag_set(context, false);
}

/* The thread is about to run the instruction at rip. */
static void at_step(ucontext_t *context)
{
	uintptr_t rip = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	uint32_t offset = offset_of(rip);

	if (ends_next(context)) {
		steps.cloned = true;
		drop(context);
		return;
	}
	if (!text_has(rip)) {
		leave_library(context);
		return;
	}
	last = offset;
	note_step(offset);
	if (steps.nr == steps.stop_at) {
		clear_planted(); /* of steps that began anew meanwhile */
		drop(context);
		steps.at_stop();
		return;
	}
	if (steps.nr > steps.most)
		child_fail(BLOCKED, "the operation does not end");
	pass_through(context, offset);
}

/* ---- the same without stepping ---- */

static unsigned nr_seen; /* times that the target was passed */

static void replay_arm(void)
{
	size_t i;

	nr_seen = 0;
	for (i = 0; steps.manner == ABORTING && i < nr_sections; i++)
		text_arm(sections[i].start);
	text_arm(steps.target);
}

static void replay_disarm(void)
{
	size_t i;

	for (i = 0; steps.manner == ABORTING && i < nr_sections; i++)
		text_disarm(sections[i].start);
	text_disarm(steps.target);
}

static void replay_int3(ucontext_t *context)
{
	greg_t *rip = &context->uc_mcontext.gregs[REG_RIP];

	if (is_abort(offset_of((uintptr_t)*rip)))
		return;
	--*rip;
	if (offset_of((uintptr_t)*rip) != steps.target)
		return;
	text_disarm(steps.target);
	if (++nr_seen < steps.occurrence) {
		flag_set(context, true);
		return;
	}
	replay_disarm();
	atomic_store(&stepper, 0);
	steps.at = steps.target;
	steps.at_stop();
}

static void replay_stepped(ucontext_t *context)
{
	flag_set(context, false);
	text_arm(steps.target);
}

/* ---- all traps ---- */

static void at_int3(ucontext_t *context, bool own)
{
	greg_t *rip = &context->uc_mcontext.gregs[REG_RIP];
	bool is_ours = is_planted(offset_of((uintptr_t)*rip - 1));

	if (own && steps.occurrence) {
		replay_int3(context);
		return;
	}
	if (!is_ours && trap_other && trap_other(context))
		return;
	--*rip;
	/* Another thread that came by tries again until it is cleared. */
	if (!own || !is_ours)
		return;
	clear_planted();
	flag_set(context, true);
	at_step(context);
}

static void on_trap(int sig, siginfo_t *info, void *arg)
{
	bool own = (int)raw_0(SYS_gettid) == atomic_load(&stepper);

	(void)sig;
	if (own)
		atomic_fetch_add(&nr_traps, 1);
	if (info->si_code != TRAP_TRACE)
		at_int3(arg, own);
	else if (own && steps.occurrence)
		replay_stepped(arg);
	else if (own)
		at_step(arg);
	else
		flag_set(arg, false);
}

uint64_t steps_nr_traps(void)
{
	return atomic_load(&nr_traps);
}

/* ---- on and off ---- */

static void begin(void)
{
	last = 0;
	steps.nr = steps.nr_sections = steps.nr_inside = steps.nr_aborts = 0;
	steps.cloned = false;
	atomic_store(&stepper, (int)raw_0(SYS_gettid));
}

void steps_begin(void)
{
	begin();
	if (steps.occurrence) {
		replay_arm();
		return;
	}
	__asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" ::"i"(TRAP_FLAG)
			 : "memory", "cc");
}

void steps_end(void)
{
	__asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\tpopfq" ::"i"(~TRAP_FLAG)
			 : "memory", "cc");
	if (steps.occurrence && atomic_load(&stepper))
		replay_disarm();
	atomic_store(&stepper, 0);
}

bool steps_are_on(void)
{
	return atomic_load(&stepper);
}

bool steps_are_planted(void)
{
	return nr_planted;
}

void steps_begin_at(ucontext_t *context)
{
	begin();
	flag_set(context, true);
}

void trap_start(void)
{
	sections_find();
	text_make_writable();
	child_handle(on_trap);
}
