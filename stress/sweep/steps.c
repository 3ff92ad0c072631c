/* steps: steps a thread into each operation, does away with it, and looks
 * whether the others go on and the heap is sound
 *
 * First each operation is stepped through to its end, in both manners, which
 * counts its steps and the aborts they cause. Then, for each (or each n-th)
 * step and each mode, a fresh child: the victim is stopped there, and only
 * then the others begin. They have finished when all their steps are done.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "cpucache/percpu.h"

#define NR_OPS_MOST 64
#define STEPS_MOST 400000 /* beyond them an operation does not end */

/* One operation in one manner. */
struct tally {
	uint64_t nr, nr_sections, nr_aborts; /* of the whole operation */
	bool cloned, ended;
	uint64_t base_live, base_claimed;
	_Atomic(uint32_t) stops, missed, shut, bad[NR_OUTCOMES];
	_Atomic(uint64_t) live, live_step, claimed, claimed_step;
};

static struct shared_state {
	_Atomic(uint32_t) next;
	struct tally tallies[NR_OPS_MOST][NR_MANNERS];
} * state;

/* What one child is to do. */
struct task {
	const struct op *op;
	enum manner manner;
	int mode; /* 0: nobody is stopped; '-': no steps at all */
	uint64_t step;
};

static uint32_t *traces;

static uint32_t *trace_of(const struct task *t)
{
	size_t i = (size_t)(t->op - ops) * NR_MANNERS + t->manner;

	return traces + i * STEPS_MOST;
}

/* ---- the victim, in the handler ---- */

static struct task task; /* the child's own */

static void at_stop(void)
{
	struct worker *w = &workers[0];

	cell->at = steps.at;
	if (mode_loses(task.mode))
		atomic_store(&cell->hand_sizes[0],
			     w->hand[0].size + w->hand[1].size);
	atomic_store(&cell->victim, 0);
	child_start();
	/* A thread that ends has nowhere to go back to. */
	fate_meet(task.mode, w, !task.op->thread);
}

/* ---- the child ---- */

static bool victim_is_gone(void)
{
	return atomic_load(&cell->victim) == 0 &&
	       (task.mode == 'a' || task.mode == 'b');
}

static unsigned awaited;

static bool is_through(void)
{
	return atomic_load(&workers[awaited].done) ||
	       (awaited == 0 && victim_is_gone());
}

static void wait_for(unsigned i)
{
	awaited = i;
	while (!is_through())
		child_wait_unless(is_through);
	atomic_fetch_add(&cell->progress, 1);
}

static void workers_make(void)
{
	unsigned i;

	for (i = 0; i < NR_WORKERS; i++)
		workers[i] = (struct worker){
			.random = task.step * 1000003 + i +
				  shared->settings.seed,
			.index = i,
			.place = i,
			.nr_steps = shared->settings.work,
			.foreign = !task.op->conf,
		};
}

/* Every call takes the direct path from now on. */
static bool is_shut(void)
{
	struct anchor *a = text_symbol("anchor");

	return a && !load_relaxed(&a->small_end); // quiet
}

static void note_steps(void)
{
	cell->ended = atomic_load(&cell->victim) == NOBODY;
	cell->cloned = steps.cloned;
	if (!cell->ended)
		return;
	cell->nr = steps.nr;
	cell->nr_sections = steps.nr_sections;
	cell->nr_aborts = steps.nr_aborts;
	child_start();
}

/* Stepped through to its end, or stopped where the n-th step was then. */
static void steps_set(void)
{
	uint32_t *trace = trace_of(&task);
	uint64_t i;

	steps = (struct steps){ .manner = task.manner,
				.most = STEPS_MOST,
				.at_stop = at_stop };
	if (!task.mode) {
		steps.trace = trace;
		steps.trace_most = STEPS_MOST;
		return;
	}
	if (task.mode == '-') {
		steps.manner = WHOLE;
		steps.target = text.all[0].offset;
		steps.occurrence = UINT32_MAX;
		return;
	}
	steps.target = trace[task.step - 1];
	for (i = 0; i < task.step; i++)
		steps.occurrence += trace[i] == steps.target;
}

static _Atomic(bool) may_reset;

/* One CPU and so one cache, as the operations are about it. */
static void *victim_run(void *arg)
{
	struct worker *w = arg;

	on_cpu((unsigned)(cell - shared->cells));
	while (!atomic_load(&may_reset))
		raw_sleep_us(20);
	if (task.op->conf) {
		scenario_set_conf(task.op->conf);
		text_reset_data();
	}
	if (task.op->setup)
		task.op->setup(w);
	steps_set();
	if (!sigsetjmp(w->jump, 1))
		task.op->run(w);
	if (task.op->thread && atomic_load(&cell->victim) == NOBODY)
		return NULL; /* the steps are in its destructors */
	atomic_store(&w->done, true);
	child_wake();
	fate_sleep();
}

/* The others begin when the victim is stopped, or through. */
static void child_body(const void *arg)
{
	task = *(const struct task *)arg;
	workers_make();
	thread_start(load_run, &workers[1]);
	thread_start(load_run, &workers[2]);
	while (!atomic_load(&cell->tids[1]) || !atomic_load(&cell->tids[2]))
		raw_sleep_us(20);
	thread_start(victim_run, &workers[0]);
	text_forget_section();
	atomic_store(&may_reset, true);
	wait_for(0);
	note_steps();
	child_start();
	wait_for(1);
	wait_for(2);
	cell->shut = is_shut();
	child_check_heap();
}

/* ---- from outside ---- */

static struct tally *tally_of(const struct task *t)
{
	return &state->tallies[t->op - ops][t->manner];
}

static void note_bad(const struct task *t, const char *what)
{
	char where[300], at[200] = "-";

	if (cell->at)
		text_where(cell->at, at, sizeof(at));
	snprintf(where, sizeof(where), "%s, %s sections, mode %c, step %lu, %s",
		 t->op->name, manner_names[t->manner], t->mode ? t->mode : ' ',
		 (unsigned long)t->step, at);
	failure_note(where, what);
}

static void most_to(_Atomic(uint64_t) *most, _Atomic(uint64_t) *at,
		    uint64_t value, uint64_t step)
{
	uint64_t seen = atomic_load(most);

	while (value > seen)
		if (atomic_compare_exchange_weak(most, &seen, value))
			atomic_store(at, step);
}

static void judge_loss(const struct task *t, struct tally *y)
{
	uint64_t hand = atomic_load(&cell->hand_sizes[0]);
	uint64_t free_of = y->base_live + (hand ? hand + hand / 4 + 16 : 0);
	uint64_t live = cell->live_size, claimed = cell->claimed_size;

	live = live > free_of ? live - free_of : 0;
	free_of = y->base_claimed + (hand ? hand + 32768 : 0);
	claimed = claimed > free_of ? claimed - free_of : 0;
	most_to(&y->live, &y->live_step, live, t->step);
	most_to(&y->claimed, &y->claimed_step, claimed, t->step);
	if (live > options.most_live || claimed > options.most_claimed)
		note_bad(t, "too much is stranded");
	else if (!mode_loses(t->mode) && live)
		note_bad(t, "stranded though nobody was lost");
}

static void one_stop(const struct task *t)
{
	struct tally *y = tally_of(t);
	enum outcome outcome = outside_run(child_body, t);

	atomic_fetch_add(&y->stops, 1);
	if (outcome != STOPPED) {
		atomic_fetch_add(&y->bad[outcome], 1);
		note_bad(t, "");
		return;
	}
	atomic_fetch_add(&y->shut, cell->shut);
	if (cell->shut && !t->op->may_shut)
		note_bad(t, "the fast paths' gate stays closed");
	if (cell->ended)
		atomic_fetch_add(&y->missed, 1);
	else if (names.stats)
		judge_loss(t, y);
}

/* What is left with nobody stopped, after the same steps. */
static void measure_base(const struct task *t, struct tally *y)
{
	struct task quiet = *t;
	unsigned i;

	/* The trace is kept, so these are not stepped. */
	quiet.mode = '-';
	for (i = 0; i < 4; i++) {
		quiet.step = i;
		if (outside_run(child_body, &quiet) != STOPPED) {
			note_bad(&quiet, "without any stop");
			continue;
		}
		if (cell->live_size > y->base_live)
			y->base_live = cell->live_size;
		if (cell->claimed_size > y->base_claimed)
			y->base_claimed = cell->claimed_size;
	}
}

/* The whole operation, stepped; says whether it ends. */
static void count_steps(const struct task *t)
{
	struct tally *y = tally_of(t);
	enum outcome outcome = outside_run(child_body, t);

	y->nr = cell->nr;
	y->nr_sections = cell->nr_sections;
	y->nr_aborts = cell->nr_aborts;
	y->cloned = cell->cloned;
	y->ended = outcome == STOPPED;
	y->base_live = cell->live_size;
	y->base_claimed = cell->claimed_size;
	if (outcome != STOPPED) {
		atomic_fetch_add(&y->bad[outcome], 1);
		note_bad(t, "");
		return;
	}
	measure_base(t, y);
}

static uint64_t stride(const struct tally *y)
{
	if (shared->settings.step)
		return shared->settings.step;
	return (y->nr + options.most - 1) / options.most;
}

/* Calls for each task; numbers them, so that jobs share them. */
static void each_task(void (*work)(const struct task *))
{
	struct task t = { .op = ops };
	uint32_t number = 0, mine = atomic_fetch_add(&state->next, 1);
	const char *mode;

	for (; t.op->name; t.op++)
		for (t.manner = 0; t.manner < NR_MANNERS; t.manner++) {
			struct tally *y = tally_of(&t);

			if (!y->nr || !y->ended ||
			    atomic_load(&shared->interrupted))
				continue;
			for (mode = options.modes; *mode; mode++)
				for (t.step = 1; t.step <= y->nr;
				     t.step += stride(y)) {
					if (number++ != mine)
						continue;
					mine = atomic_fetch_add(&state->next,
								1);
					t.mode = *mode;
					work(&t);
				}
		}
}

static bool is_wanted(const struct op *op)
{
	if (!op_is_known(op))
		return false;
	return !options.operation || strstr(op->name, options.operation);
}

/* Whole sections are another way only where there are sections. */
static void count_all(void)
{
	struct task t = { .op = ops };

	for (; t.op->name; t.op++) {
		if (!is_wanted(t.op))
			continue;
		t.manner = ABORTING;
		count_steps(&t);
		t.manner = WHOLE;
		if (state->tallies[t.op - ops][ABORTING].nr_aborts)
			count_steps(&t);
	}
}

static void stop_all(void)
{
	unsigned i;
	int status;

	fflush(stdout);
	for (i = 1; i < options.jobs; i++) {
		if (fork())
			continue;
		cell = &shared->cells[i];
		outside_open();
		each_task(one_stop);
		_exit(0);
	}
	each_task(one_stop);
	for (i = 1; i < options.jobs; i++)
		if (wait(&status) < 0 || status)
			die("a job failed");
}

/* ---- the report ---- */

static void say_row(const struct op *op, enum manner manner)
{
	const struct tally *y = &state->tallies[op - ops][manner];

	if (!y->nr)
		return;
	say("%-18s %-8s %7lu%s %6lu %6lu %6u %5u %4u %4u %4u %4u %7lu %9lu\n",
	    op->name, manner_names[manner], (unsigned long)y->nr,
	    y->cloned ? "+" : " ", (unsigned long)y->nr_sections,
	    (unsigned long)y->nr_aborts, y->stops, y->missed, y->shut,
	    y->bad[BLOCKED], y->bad[CRASHED], y->bad[UNSOUND],
	    (unsigned long)y->live, (unsigned long)y->claimed);
}

void steps_run(void)
{
	uint64_t stops = 0, aborts = 0;
	const struct op *op;
	unsigned m;

	state = shared_memory(sizeof(*state));
	traces = shared_memory(sizeof(*traces) * NR_OPS_MOST * NR_MANNERS *
			       STEPS_MOST);
	count_all();
	stop_all();
	say("%-18s %-8s %8s %6s %6s %6s %5s %4s %4s %4s %4s %7s %9s\n",
	    "operation", "sections", "steps", "whole", "aborts", "stops",
	    "ended", "shut", "blkd", "crsh", "unsd", "objects", "addresses");
	for (op = ops; op->name; op++)
		for (m = 0; m < NR_MANNERS; m++) {
			const struct tally *y = &state->tallies[op - ops][m];

			say_row(op, m);
			stops += y->stops;
			aborts += y->nr_aborts;
			shared->nr_stopped += y->bad[BLOCKED];
		}
	shared->nr_bad += report_failures();
	say("%lu stops, %lu aborts on the way, %u blocked, %u faults\n",
	    (unsigned long)stops, (unsigned long)aborts, shared->nr_stopped,
	    shared->nr_bad);
	shared->nr_bad += !stops; /* no operation has that name */
}
