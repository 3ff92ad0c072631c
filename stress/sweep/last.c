/* last: all threads but one are stopped for ever, one after another, each at
 * a random instruction; then the last one's calls are counted
 *
 * A thread is stopped in one of two ways, chosen at random: it is made to
 * step from wherever it is, and stops after a random number of steps in the
 * library; or an int3 is put at an instruction of those that the load
 * reaches, each as likely as any other, and whoever comes by stops there.
 *
 * The last thread is the program's first one. As nobody else moves, no CAS of
 * its can fail: what it needs is the price of the call itself and of what the
 * stopped ones left behind.
 */
#include "last.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "report.h"

#define SEVERAL 4     /* bounds, until a call is said not to end */
#define BEFORE_MOST 9 /* steps before a stop: below 2 to this */
#define POLL_US 100
#define POLLS_INT3 60     /* until another way is tried */
#define POLLS_STILL 1000  /* without a step, until the victim is asked again */
#define AGAIN_MOST 100    /* as often, until it is called blocked */
#define POLLS_MOST 100000 /* or so long behind an int3 of the steps' own */
#define WORK UINT32_MAX   /* steps of the load: more than there is time for */

struct tally {
	uint64_t nr, most, most_aborts, most_sections, sum, over;
	unsigned most_seed;
	enum manner most_manner;
	uint32_t at;
};

static struct {
	struct tally tallies[NR_MANNERS][NR_KINDS_MOST][2]; /* tick: no, yes */
	uint64_t nr_stopped, nr_by_step, nr_by_int3;
} * sum;

/* One byte per instruction that the load passed while it was stepped. */
static uint8_t *reached;
static uint32_t *targets, nr_targets;

struct trial {
	unsigned seed;
	enum manner manner;
	bool survey;
};

/* ---- the threads and their stops ---- */

static _Atomic(int) tids[NR_THREADS_MOST];
static _Atomic(uint32_t) nr_stopped;
static _Atomic(bool) is_stopped[NR_THREADS_MOST];
static __thread int me = -1;

static void *thread_run(void *arg)
{
	struct worker *w = arg;

	me = (int)(w - many);
	atomic_store(&tids[me], (int)raw_0(SYS_gettid));
	return load_run(w);
}

static void at_stop(void)
{
	atomic_store(&is_stopped[me], true);
	atomic_fetch_add(&nr_stopped, 1);
	atomic_fetch_add(&cell->progress, 1);
	fate_sleep();
}

static uint64_t wish; /* steps that the next victim makes */

static void on_step_from_here(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	if (atomic_load(&is_stopped[me]))
		return;
	steps = (struct steps){ .manner = ABORTING,
				.stop_at = wish,
				.most = UINT64_MAX,
				.at_stop = at_stop };
	steps_begin_at(context);
}

static _Atomic(uint32_t) target; /* an int3 for whoever comes by; 0: none */

/* The section's abort handler is where its victim is found. */
static bool on_other_trap(ucontext_t *context)
{
	greg_t *rip = &context->uc_mcontext.gregs[REG_RIP];
	uint32_t at = atomic_load(&target);

	if (me < 0)
		return false;
	if (!at || !atomic_compare_exchange_strong(&target, &at, 0)) {
		/* It was another's. */
		if (text_find_offset(
			    (uint32_t)((uintptr_t)*rip - 1 - text_base())) >= 0)
			--*rip;
		return true;
	}
	text_disarm(at);
	at_stop();
	return true;
}

/* In which system call, or that it runs; and how far its steps are. */
_Noreturn static void cannot_stop(unsigned i)
{
	char path[64], line[100] = "", at[200];
	size_t n = strlen(cell->text);
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall",
		 atomic_load(&tids[i]));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, line, sizeof(line) - 1) > 0)
		line[strcspn(line, "\n")] = 0;
	text_where(steps.at, at, sizeof(at));
	snprintf(cell->text + n, sizeof(cell->text) - n,
		 "; it is at step %u of its load, in %.60s; steps %s, %lu of "
		 "%lu, at %s",
		 many[i].step, line, steps_are_on() ? "on" : "off",
		 (unsigned long)steps.nr, (unsigned long)wish,
		 at);
	atomic_store(&cell->outcome, BLOCKED);
	_exit(0);
}

static void ask_to_step(unsigned i)
{
	raw_4(SYS_tgkill, getpid(), atomic_load(&tids[i]), SIGUSR1, 0);
}

static void stop_by_steps(struct worker *self)
{
	unsigned i = (unsigned)load_below(self, nr_many);
	uint32_t before = atomic_load(&nr_stopped), polls, still = 0, again = 0;
	uint64_t traps = 0, now;

	while (atomic_load(&is_stopped[i]))
		i = (i + 1) % nr_many;
	wish = 1 + load_below(self, (size_t)1 << load_below(self, BEFORE_MOST));
	snprintf(cell->text, sizeof(cell->text), "stopping thread %u by steps",
		 i);
	/* Steps end early where the library jumps to libc, or where the call
	 * has no more of them: then again, with fewer. They are lost when they
	 * begin in a handler, whose return restores the flag. */
	for (polls = 0; atomic_load(&nr_stopped) == before; polls++) {
		if (polls % POLLS_INT3 == 0 && !steps_are_on()) {
			wish = polls ? 1 + wish / 2 : wish;
			ask_to_step(i);
		} else if (still == POLLS_STILL && !steps_are_planted()) {
			again++;
			still = 0;
			ask_to_step(i);
		}
		now = steps_nr_traps();
		still = now == traps ? still + 1 : 0;
		traps = now;
		if (still == POLLS_MOST || again == AGAIN_MOST)
			cannot_stop(i);
		raw_sleep_us(POLL_US);
	}
	sum->nr_by_step++;
}

/* False: nobody came by. */
static bool stop_by_int3(struct worker *self)
{
	uint32_t at = targets[load_below(self, nr_targets)];
	uint32_t before = atomic_load(&nr_stopped), armed = at;
	char where[200];
	unsigned i;

	text_where(at, where, sizeof(where));
	snprintf(cell->text, sizeof(cell->text), "stopping somebody at %s",
		 where);
	atomic_store(&target, at);
	text_arm(at);
	for (i = 0; i < POLLS_INT3; i++) {
		raw_sleep_us(POLL_US);
		if (atomic_load(&nr_stopped) != before)
			break;
	}
	if (atomic_compare_exchange_strong(&target, &armed, 0)) {
		text_disarm(at);
		return false;
	}
	while (atomic_load(&nr_stopped) == before)
		raw_sleep_us(POLL_US);
	sum->nr_by_int3++;
	return true;
}

/* One of the threads comes to a rare part of the load soon: its step number
 * says which. */
static void rare_soon(struct worker *self)
{
	struct worker *w = &many[load_below(self, nr_many)];
	uint32_t every = WORK / (NR_SELDOM + 1);
	uint32_t phase = w->index * every / NR_WORKERS;
	uint32_t which = (uint32_t)load_below(self, NR_SELDOM);

	*(volatile uint32_t *)&w->step = which * every + phase - 20;
}

static void stop_one(struct worker *self)
{
	unsigned tries;

	rare_soon(self);
	for (tries = 0; nr_targets && tries < 3 && load_below(self, 3); tries++)
		if (stop_by_int3(self))
			return;
	stop_by_steps(self);
}

static void threads_start(unsigned seed)
{
	struct sigaction action = { .sa_sigaction = on_step_from_here,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned i;

	sigaction(SIGUSR1, &action, NULL);
	trap_other = on_other_trap;
	for (i = 0; i < nr_many; i++) {
		many[i] = (struct worker){ .random = seed * 7919 + i,
					   .index = 1 + i % 2,
					   .place = 1 + i % 2,
					   .nr_steps = WORK };
		thread_start(thread_run, &many[i]);
	}
	for (i = 0; i < nr_many; i++)
		while (!atomic_load(&tids[i]))
			raw_sleep_us(20);
}

/* ---- what the last one does ---- */

/* The slow path's timed work, which is due or not as this says. */
static void tick_set(bool due)
{
	_Atomic(uint64_t) *next = text_symbol("next_tick");

	if (next)
		atomic_store(next, due ? 0 : UINT64_MAX / 2);
}

static uint64_t bound_of(unsigned k, bool tick)
{
	return kinds[k].most + (tick ? TICK_MOST : 0);
}

static void note_call(const struct trial *t, unsigned k, bool tick)
{
	struct tally *y = &sum->tallies[t->manner][k][tick];
	uint64_t n = steps.nr + steps.nr_inside;

	y->nr++;
	y->sum += n;
	y->over += n > bound_of(k, tick);
	if (n <= y->most)
		return;
	y->most = n;
	y->most_aborts = steps.nr_aborts;
	y->most_sections = steps.nr_sections;
	y->most_seed = t->seed;
}

static bool kind_run(const struct kind *kind, struct worker *w)
{
	return kind->run(w, kind->from, kind->to);
}

static void one_call(const struct trial *t, struct worker *self, unsigned k)
{
	bool tick = !load_below(self, 6);

	steps = (struct steps){ .manner = t->manner,
				.most = SEVERAL * bound_of(k, tick) };
	tick_set(tick);
	snprintf(cell->text, sizeof(cell->text), "in %s; ", kinds[k].name);
	if (kind_run(&kinds[k], self))
		note_call(t, k, tick);
	tick_set(false);
	atomic_fetch_add(&cell->progress, 1);
}

static void check_slots(struct worker *w)
{
	unsigned i;

	for (i = 0; i < NR_SLOTS; i++)
		if (w->slots[i].at)
			ledger_verify(&w->slots[i]);
}

static struct worker self;

static void last_runs(const struct trial *t)
{
	unsigned i, k, n = 0;

	for (k = 0; kinds[k].name; k++)
		n++;
	for (i = 0; i < n * options.calls; i++)
		one_call(t, &self, (unsigned)load_below(&self, n));
	for (i = 0; i < nr_many; i++)
		check_slots(&many[i]);
	check_slots(&self);
	load_verify_warm();
}

static void trial_body(const void *arg)
{
	const struct trial *t = arg;

	nr_many = options.threads - 1;
	self = (struct worker){ .random = t->seed, .index = 2 };
	threads_start(t->seed);
	child_start();
	raw_sleep_us((long)load_below(&self, 3000));
	while (atomic_load(&nr_stopped) < nr_many)
		stop_one(&self);
	sum->nr_stopped += nr_many;
	last_runs(t);
}

/* Steps through the load, to learn which instructions it reaches. */
static void survey_body(const void *arg)
{
	unsigned k, i;

	(void)arg;
	self = (struct worker){ .random = 5, .index = 2 };
	for (k = 0; kinds[k].name; k++)
		for (i = 0; i < 3; i++) {
			steps = (struct steps){ .manner = WHOLE,
						.most = UINT64_MAX,
						.reached = reached };
			if (!kinds[k].of_others)
				kind_run(&kinds[k], &self);
			atomic_fetch_add(&cell->progress, 1);
		}
}

static void targets_choose(void)
{
	uint32_t i;

	targets = calloc(text.nr, sizeof(*targets));
	for (i = 0; i < text.nr; i++)
		if (reached[i])
			targets[nr_targets++] = text.all[i].offset;
}

/* ---- all of it ---- */

static void one_trial(unsigned seed, enum manner manner)
{
	struct trial t = { .seed = seed, .manner = manner };
	enum outcome outcome = outside_run(trial_body, &t);
	char where[80];

	if (outcome == STOPPED)
		return;
	shared->nr_stopped += outcome == BLOCKED;
	snprintf(where, sizeof(where), "seed %u, %s sections", seed,
		 manner_names[manner]);
	failure_note(where, "");
}

static void say_row(unsigned k, enum manner manner, bool tick, bool above)
{
	const struct tally *y = &sum->tallies[manner][k][tick];

	if (!y->nr || above != (y->over != 0))
		return;
	say("%-15s %-8s %-4s %6lu %7lu %7lu %6lu %6lu %7lu  %u%s\n",
	    kinds[k].name, manner_names[manner], tick ? "tick" : "",
	    (unsigned long)y->nr, (unsigned long)(y->sum / y->nr),
	    (unsigned long)y->most, (unsigned long)y->most_sections,
	    (unsigned long)y->most_aborts, (unsigned long)bound_of(k, tick),
	    y->most_seed, y->over ? "  ABOVE" : "");
	if (!options.loose)
		shared->nr_bad += above;
}

static void say_rows(bool above)
{
	unsigned k, m, t;

	for (k = 0; kinds[k].name; k++)
		for (m = 0; m < NR_MANNERS; m++)
			for (t = 0; t < 2; t++)
				say_row(k, m, t, above);
}

/* What is above its bound comes last: of a failed test the end is shown. */
static void say_all(void)
{
	say("%u threads, %u trials: %lu stopped, %lu by steps, %lu at a "
	    "chosen instruction of %u\n",
	    options.threads, options.trials, (unsigned long)sum->nr_stopped,
	    (unsigned long)sum->nr_by_step, (unsigned long)sum->nr_by_int3,
	    nr_targets);
	say("%-15s %-8s %-4s %6s %7s %7s %6s %6s %7s  %s\n", "call",
	    "sections", "", "calls", "mean", "most", "whole", "aborts",
	    "bound", "seed");
	say_rows(false);
	say_rows(true);
}

void last_run(void)
{
	unsigned i;

	sum = shared_memory(sizeof(*sum));
	reached = shared_memory(text.nr);
	if (outside_run(survey_body, NULL) != STOPPED)
		die("the load cannot be stepped: %s", cell->text);
	targets_choose();
	for (i = 0; i < options.trials && !atomic_load(&shared->interrupted);
	     i++)
		one_trial(shared->settings.seed + i,
			  text_symbol("anchor") && i % 2 ? WHOLE : ABORTING);
	shared->nr_bad += report_failures();
	say_all();
}
