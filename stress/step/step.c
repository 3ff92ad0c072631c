/* step: steps a thread into each operation, does away with it, and looks
 * whether the others go on and the heap is sound
 *
 * First each operation is stepped through to its end, in both manners, which
 * counts its steps and the aborts they cause. Then, for each (or each n-th)
 * step and each mode, a fresh child: the victim is stopped there, and only
 * then the others begin. They have finished when all their steps are done.
 */
#include "step.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpucache/percpu.h"

#define NR_OPS_MOST 64
#define STEPS_MOST 400000 /* beyond them an operation does not end */
#define REPORTED_MOST 20

static struct {
	const char *modes, *only;
	unsigned every; /* every n-th step; 0: so many that `most` are left */
	unsigned most;  /* stops of one operation, manner and mode */
	unsigned most_live, most_claimed;
} options = { .modes = "abcdef",
	      .most = 400,
	      .most_live = 512 << 10,
	      .most_claimed = 130 << 20 };

/* One operation in one manner. */
struct tally {
	uint64_t nr, nr_sections, nr_aborts; /* of the whole operation */
	bool cloned, ended;
	uint64_t base_live, base_claimed;
	_Atomic(uint32_t) stops, missed, shut, bad[NR_OUTCOMES];
	_Atomic(uint64_t) live, live_step, claimed, claimed_step;
};

static struct shared_state {
	_Atomic(uint32_t) next, nr_bad;
	struct tally tallies[NR_OPS_MOST][NR_MANNERS];
	struct place places[64];
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

	place->at = steps.at;
	if (strchr("abc", task.mode))
		cell->hand_size = w->hand[0].size + w->hand[1].size;
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
			.random = task.step * 1000003 + i + common.seed,
			.index = i,
			.nr_steps = common.work,
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
	place->ended = atomic_load(&cell->victim) == NOBODY;
	place->cloned = steps.cloned;
	if (!place->ended)
		return;
	place->nr = steps.nr;
	place->nr_sections = steps.nr_sections;
	place->nr_aborts = steps.nr_aborts;
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

/* The library's variables are about to change, the descriptor of this thread's
 * last section among them, which the kernel may read at any time. */
static void section_forget(void)
{
	extern const ptrdiff_t __rseq_offset;
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	*(volatile uint64_t *)(void *)(area + 8) = 0;
}

static _Atomic(bool) may_reset;

/* One CPU and so one cache, as the operations are about it. */
static void *victim_run(void *arg)
{
	struct worker *w = arg;

	on_cpu((unsigned)(place - state->places));
	while (!atomic_load(&may_reset))
		raw_sleep_us(20);
	if (task.op->conf) {
		conf_set(task.op->conf);
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
	section_forget();
	atomic_store(&may_reset, true);
	wait_for(0);
	note_steps();
	child_start();
	wait_for(1);
	wait_for(2);
	place->shut = is_shut();
	child_check_heap();
}

/* ---- from outside ---- */

static struct tally *tally_of(const struct task *t)
{
	return &state->tallies[t->op - ops][t->manner];
}

static void say_bad(const struct task *t, const char *what)
{
	if (atomic_fetch_add(&state->nr_bad, 1) >= REPORTED_MOST)
		return;
	printf("  %s, %s sections, mode %c, step %lu (%s): %s; %s %s\n",
	       t->op->name, manner_names[t->manner], t->mode ? t->mode : ' ',
	       (unsigned long)t->step, place->at ? where_is(place->at) : "-",
	       what, cell->text, outside_said());
	fflush(stdout);
}

static const char *const outcome_names[NR_OUTCOMES] = {
	"not run", "stopped", "not reached", "blocked", "crashed", "unsound"
};

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
	uint64_t hand = cell->hand_size;
	uint64_t free_of = y->base_live + (hand ? hand + hand / 4 + 16 : 0);
	uint64_t live = cell->live_size, claimed = cell->claimed_size;

	live = live > free_of ? live - free_of : 0;
	free_of = y->base_claimed + (hand ? hand + 32768 : 0);
	claimed = claimed > free_of ? claimed - free_of : 0;
	most_to(&y->live, &y->live_step, live, t->step);
	most_to(&y->claimed, &y->claimed_step, claimed, t->step);
	if (live > options.most_live || claimed > options.most_claimed)
		say_bad(t, "too much is stranded");
	else if (strchr("def", t->mode) && live)
		say_bad(t, "stranded though nobody was lost");
}

static void one_stop(const struct task *t)
{
	struct tally *y = tally_of(t);
	enum outcome outcome = child_do(child_body, t);

	atomic_fetch_add(&y->stops, 1);
	if (outcome != STOPPED) {
		atomic_fetch_add(&y->bad[outcome], 1);
		say_bad(t, outcome_names[outcome]);
		return;
	}
	atomic_fetch_add(&y->shut, place->shut);
	if (place->shut && !t->op->may_shut)
		say_bad(t, "the fast paths' gate stays closed");
	if (place->ended)
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
		if (child_do(child_body, &quiet) != STOPPED) {
			say_bad(&quiet, "without any stop");
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
	enum outcome outcome = child_do(child_body, t);

	y->nr = place->nr;
	y->nr_sections = place->nr_sections;
	y->nr_aborts = place->nr_aborts;
	y->cloned = place->cloned;
	y->ended = outcome == STOPPED;
	y->base_live = cell->live_size;
	y->base_claimed = cell->claimed_size;
	if (outcome != STOPPED) {
		atomic_fetch_add(&y->bad[outcome], 1);
		say_bad(t, outcome_names[outcome]);
		return;
	}
	measure_base(t, y);
}

static uint64_t stride(const struct tally *y)
{
	if (options.every)
		return options.every;
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

			if (!y->nr || !y->ended)
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
	return !options.only || strstr(op->name, options.only);
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
	for (i = 1; i < common.jobs; i++) {
		if (fork())
			continue;
		place = &state->places[i];
		outside_open();
		each_task(one_stop);
		_exit(0);
	}
	each_task(one_stop);
	for (i = 1; i < common.jobs; i++)
		if (wait(&status) < 0 || status)
			die("a job failed");
}

/* ---- the report ---- */

static void print_row(const struct op *op, enum manner manner)
{
	const struct tally *y = &state->tallies[op - ops][manner];

	if (!y->nr)
		return;
	printf("%-18s %-8s %7lu%s %6lu %6lu %6u %5u %4u %4u %4u %4u %7lu "
	       "%9lu\n",
	       op->name, manner_names[manner], (unsigned long)y->nr,
	       y->cloned ? "+" : " ", (unsigned long)y->nr_sections,
	       (unsigned long)y->nr_aborts, y->stops, y->missed, y->shut,
	       y->bad[BLOCKED], y->bad[CRASHED], y->bad[UNSOUND],
	       (unsigned long)y->live, (unsigned long)y->claimed);
}

static int report(void)
{
	uint64_t stops = 0, aborts = 0, blocked = 0;
	const struct op *op;
	unsigned m;

	printf("%-18s %-8s %8s %6s %6s %6s %5s %4s %4s %4s %4s %7s %9s\n",
	       "operation", "sections", "steps", "whole", "aborts", "stops",
	       "ended", "shut", "blkd", "crsh", "unsd", "objects", "addresses");
	for (op = ops; op->name; op++)
		for (m = 0; m < NR_MANNERS; m++) {
			const struct tally *y = &state->tallies[op - ops][m];

			print_row(op, m);
			stops += y->stops;
			aborts += y->nr_aborts;
			blocked += y->bad[BLOCKED];
		}
	printf("%lu stops, %lu aborts on the way, %lu blocked, %u faults\n",
	       (unsigned long)stops, (unsigned long)aborts,
	       (unsigned long)blocked, state->nr_bad);
	if (common.expect_blocked)
		return blocked ? 0 : 1;
	if (!stops && options.only)
		fprintf(stderr, "step: no operation is named %s\n",
			options.only);
	return state->nr_bad || !stops ? 1 : 0;
}

_Noreturn static void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: step --library PATH [options]\n"
		"  --modes abcdef   a: stopped for ever, b: exits, c: "
		"siglongjmp,\n"
		"                   d: allocates in a handler, e: forks, f: "
		"is delayed\n"
		"  --step N         stops at every N-th step [see --most]\n"
		"  --most N         stops of an operation in one mode [400]\n"
		"  --only NAME      operations with that in their name\n"
		"  --jobs N         children at a time [1]\n"
		"  --work N         steps of the load's other threads [60]\n"
		"  --seed N         of their random numbers [0]\n"
		"  --timeout S      blocked: S seconds without progress [10]\n"
		"  --expect-blocked succeed if somebody was blocked\n");
	exit(status);
}

static const struct option long_options[] = {
	{ "library", required_argument, NULL, 'l' },
	{ "modes", required_argument, NULL, 'm' },
	{ "step", required_argument, NULL, 's' },
	{ "most", required_argument, NULL, 'n' },
	{ "only", required_argument, NULL, 'o' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "work", required_argument, NULL, 'w' },
	{ "seed", required_argument, NULL, 'S' },
	{ "timeout", required_argument, NULL, 't' },
	{ "expect-blocked", no_argument, NULL, 'B' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static unsigned *option_number(int c)
{
	switch (c) {
	case 's':
		return &options.every;
	case 'n':
		return &options.most;
	case 'j':
		return &common.jobs;
	case 'w':
		return &common.work;
	case 'S':
		return &common.seed;
	case 't':
		return &common.timeout;
	}
	return NULL;
}

static void option_take(int c)
{
	unsigned *to = option_number(c);

	if (to)
		*to = number_of(optarg);
	else if (c == 'l')
		common.library = optarg;
	else if (c == 'm')
		options.modes = optarg;
	else if (c == 'o')
		options.only = optarg;
	else if (c == 'B')
		common.expect_blocked = true;
	else
		usage(c == 'h' ? 0 : 2);
}

int main(int argc, char **argv)
{
	static char
		out[1 << 16]; /* so that the heap is nothing's but the load's */
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_take(c);
	if (optind != argc || !options.most || common.work < 20 ||
	    !common.jobs || common.jobs > 64 || !common.timeout ||
	    strspn(options.modes, "abcdef") != strlen(options.modes))
		usage(2);
	check_library(common.library);
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	preload(argv);
	state = shared_memory(sizeof(*state));
	traces = shared_memory(sizeof(*traces) * NR_OPS_MOST * NR_MANNERS *
			       STEPS_MOST);
	place = &state->places[0];
	library_start();
	count_all();
	stop_all();
	return report();
}
