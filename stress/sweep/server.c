/* server: the library is preloaded here and its heap is warm; one child of
 * this process per stop, or per group of stops
 */
#include "step.h"
#include "load.h"
#include "options.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE_RUNS 12

/* ---- one child ---- */

struct run {
	const struct scenario *scenario;
	uint64_t seed;
};

static void run_body(const void *arg)
{
	const struct run *run = arg;

	child_run(run->scenario, run->seed);
}

static enum outcome run_child(const struct scenario *s, uint64_t seed)
{
	struct run run = { s, seed };

	return outside_run(run_body, &run);
}

/* ---- what is reached, and what remains without a stop ---- */

static void note_failure(uint32_t instruction, unsigned scenario)
{
	char at[200] = "no stop", where[300];

	if (instruction)
		text_where(text.all[instruction].offset, at, sizeof(at));
	snprintf(where, sizeof(where), "%s (%s)", at,
		 scenarios[scenario].name);
	failure_note(where, "");
}

static void note_base(unsigned scenario)
{
	struct base *base = &shared->bases[scenario];

	if (cell->live_size > base->live_size)
		base->live_size = cell->live_size;
	if (cell->claimed_size > base->claimed_size)
		base->claimed_size = cell->claimed_size;
}

static void measure_base(unsigned scenario)
{
	unsigned i;

	for (i = 0; i < BASE_RUNS; i++) {
		stop = (struct stop){ .nothing = true };
		if (run_child(&scenarios[scenario], 1000 + i) == STOPPED)
			note_base(scenario);
		else
			note_failure(0, scenario);
	}
}

static void survey(unsigned scenario)
{
	const struct scenario *s = &scenarios[scenario];
	unsigned i;

	measure_base(scenario);
	for (i = 0; i < shared->settings.surveys; i++) {
		stop = (struct stop){ .survey = true,
				      .luck = i * 7919,
				      .reached = shared_reached(scenario) };
		if (run_child(s, i) != STOPPED)
			note_failure(0, scenario);
	}
}

/* ---- the stops ---- */

/* The first scenario that reaches it nearly always, else the best. */
static unsigned best_scenario(uint32_t instruction, unsigned *count)
{
	unsigned s, best = 0, most = 0;

	for (s = 0; s < scenario_count(); s++) {
		unsigned n = shared_reached(s)[instruction];

		if (n > most) {
			most = n;
			best = s;
		}
		if (n * 10 >= shared->settings.surveys * 9)
			break;
	}
	*count = most;
	return best;
}

static uint32_t beyond(uint64_t size, uint64_t base, uint64_t hand)
{
	return size > base + hand ? (uint32_t)(size - base - hand) : 0;
}

/* The survey's server measured; this one's warm heap may be another. */
static void measure_own_base(unsigned scenario)
{
	static bool done[NR_SCENARIOS_MOST];
	struct stop saved = stop;
	struct cell was;

	if (done[scenario])
		return;
	done[scenario] = true;
	memcpy(&was, cell, sizeof(was));
	measure_base(scenario);
	stop = saved;
	memcpy(cell, &was, sizeof(was));
}

/* Bytes in the victims' hands. */
struct hands {
	uint64_t least, all;
};

static struct hands hands_of_victims(void)
{
	struct hands hands = { UINT64_MAX, 0 };
	uint64_t hand;
	unsigned t;

	for (t = 0; t < stop.nr_targets; t++) {
		if (!(atomic_load(&cell->met) >> t & 1))
			continue;
		hand = atomic_load(&cell->hand_sizes[t]);
		hands.all += hand;
		if (hand < hands.least)
			hands.least = hand;
	}
	return hands.all ? hands : (struct hands){ 0 };
}

/* What the run stranded beyond what it may where so much is in doubt. */
static void note_stranded(struct result *r, unsigned scenario, uint64_t hand)
{
	const struct base *base = &shared->bases[scenario];
	uint64_t waits = (uint64_t)scenarios[scenario].waits << 20;

	if (scenarios[scenario].no_measure || !cell->live_size)
		return;
	if (!mode_loses(stop.mode))
		waits = 0;
	/* Where nobody is lost, more than before is a fault. */
	if (!mode_loses(stop.mode) &&
	    (cell->live_size > base->live_size ||
	     cell->claimed_size > base->claimed_size))
		measure_own_base(scenario);
	r->live_size = beyond(cell->live_size, base->live_size,
			      waits + (hand ? hand + hand / 4 + 16 : 0));
	r->claimed_size = beyond(cell->claimed_size, base->claimed_size,
				 waits + (hand ? hand + 32768 : 0));
}

/* Of the stop's target t. */
static void note_result(unsigned t, unsigned scenario)
{
	uint32_t instruction = stop.targets[t];
	struct result *r = &shared->results[instruction];

	r->outcome = (uint8_t)atomic_load(&cell->outcome);
	if (r->outcome == BLOCKED)
		atomic_fetch_add(&shared->nr_blocked, 1);
	r->scenario = (uint8_t)scenario;
	r->victim_bare = atomic_load(&cell->bare) >> t & 1;
	if (r->outcome == STOPPED)
		note_stranded(r, scenario, hands_of_victims().least);
	else if (r->outcome != NOT_REACHED)
		note_failure(instruction, scenario);
}

/* The n-th try: where it is reached at all but seldom, under the conditions
 * of the survey too, then in other scenarios. */
static unsigned choose_try(uint32_t instruction, unsigned n, unsigned best)
{
	unsigned s, others = 0;

	stop.shake = n % 2;
	if (n < 4)
		return best;
	for (s = 0; s < scenario_count(); s++) {
		if (!shared_reached(s)[instruction] || s == best)
			continue;
		if (others++ == (n - 4) / 2 % NR_SCENARIOS_MOST)
			return s;
	}
	return best;
}

static void stop_at(uint32_t instruction)
{
	unsigned count, best = best_scenario(instruction, &count), n;
	unsigned scenario = best, most = shared->settings.tries;
	enum outcome outcome = NOT_REACHED;

	if (!count) {
		shared->results[instruction].outcome = NOT_REACHED;
		return;
	}
	if (shared->settings.hit > 1 && most > 3)
		most = 3; /* many are passed once only */
	for (n = 0; n < most && outcome == NOT_REACHED; n++) {
		stop = (struct stop){ .targets = { instruction },
				      .nr_targets = 1,
				      .mode = shared->settings.mode,
				      .hit = shared->settings.hit,
				      .luck = instruction + n };
		scenario = choose_try(instruction, n, best);
		outcome = run_child(&scenarios[scenario],
				    shared->settings.seed * 1000003ull +
					    instruction * 31 + n);
		note_result(0, scenario);
	}
	if (shared->settings.verbose)
		fprintf(stderr, "%c %#x %s: %d in %s, live %u claimed %u\n",
			shared->settings.mode, text.all[instruction].offset,
			text_name(instruction), (int)outcome,
			scenarios[scenario].name,
			shared->results[instruction].live_size,
			shared->results[instruction].claimed_size);
}

static bool is_over(void)
{
	unsigned enough = shared->settings.enough;

	return atomic_load(&shared->interrupted) ||
	       (enough && atomic_load(&shared->nr_blocked) >= enough);
}

/* ---- many stops in one child ----
 *
 * What such a run shows is said of each target that was met. Those that were
 * not, and all of a run that was not clean, are stopped at one by one; a fault
 * that none of them shows alone, and what is stranded beyond all hands, stay
 * the first one's. A run is clean if all of them together strand no more than
 * the one may that held the least: nobody passes by what another held.
 */

static bool are_grouped(void)
{
	return shared->settings.hit == 1;
}

static unsigned group_most(void)
{
	return mode_loses(shared->settings.mode) ? GROUP_LOST : GROUP_MOST;
}

static bool is_free(uint32_t i)
{
	return shared->results[i].outcome == NOT_RUN &&
	       !atomic_exchange(&shared->results[i].claimed, true);
}

/* Bytes of text, where victims are lost: neighbours deal with the same thing.
 * Whoever stops in one of two hides what a stop in the other does to those who
 * now take other ways. */
#define NEAR 4096

static uint32_t distance(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

/* Two that share an abort handler are not told apart by it. */
static bool may_join(uint32_t i)
{
	bool are_lost = mode_loses(shared->settings.mode);
	uint32_t offset = text.all[i].offset, other;
	unsigned t;

	for (t = 0; t < stop.nr_targets; t++) {
		other = text.all[stop.targets[t]].offset;
		if ((are_lost && distance(offset, other) < NEAR) ||
		    text_share_abort(offset, other))
			return false;
	}
	return true;
}

#define SEED_STEP 211

static void group_try(uint32_t i, unsigned scenario)
{
	unsigned count;

	if (shared->results[i].outcome == NOT_RUN &&
	    best_scenario(i, &count) == scenario && count && may_join(i) &&
	    is_free(i))
		stop.targets[stop.nr_targets++] = i;
}

/* Targets of one scenario, from all over the text; each seed has its groups. */
static void group_fill(uint32_t first, unsigned scenario)
{
	uint32_t step = text.nr / (2 * GROUP_MOST) + 1, i;
	uint32_t from = first + shared->settings.seed * SEED_STEP, k;

	stop = (struct stop){ .targets = { first },
			      .nr_targets = 1,
			      .mode = shared->settings.mode,
			      .hit = 1,
			      .luck = first };
	for (k = from; k < from + step; k++)
		for (i = k % step;
		     i < text.nr && stop.nr_targets < group_most(); i += step)
			group_try(i, scenario);
}

static bool is_fault(enum outcome outcome)
{
	return outcome == BLOCKED || outcome == CRASHED || outcome == UNSOUND;
}

/* What a run shows beyond that its targets were met, where so much may be
 * stranded. */
static struct result group_result(enum outcome outcome, unsigned scenario,
				  uint64_t hand)
{
	struct result r = { .outcome = (uint8_t)outcome };

	if (outcome == STOPPED)
		note_stranded(&r, scenario, hand);
	return r;
}

static bool is_amiss(const struct result *r)
{
	return is_fault(r->outcome) || report_strands(r);
}

/* Stops one by one at those for which the run is no good; whether one of them
 * is at fault. */
static bool group_split(const struct stop *group, uint32_t done)
{
	bool fault = false;
	unsigned t;

	for (t = 0; t < group->nr_targets; t++) {
		if (done >> t & 1)
			continue;
		stop_at(group->targets[t]);
		fault |= is_amiss(&shared->results[group->targets[t]]);
	}
	return fault;
}

/* Returns a bit for each target that the run is good for. */
static uint32_t group_note(const struct result *r, unsigned scenario)
{
	unsigned t;

	if (r->outcome != STOPPED || is_amiss(r))
		return 0;
	for (t = 0; t < stop.nr_targets; t++)
		if (atomic_load(&cell->met) >> t & 1)
			note_result(t, scenario);
	return atomic_load(&cell->met);
}

static void group_count(const struct result *r, uint32_t done)
{
	if (stop.nr_targets == 1)
		return;
	atomic_fetch_add(&shared->nr_groups, 1);
	atomic_fetch_add(&shared->nr_amiss, is_amiss(r));
	atomic_fetch_add(&shared->nr_grouped,
			 (uint32_t)__builtin_popcount(done));
}

static void stop_at_group(uint32_t first)
{
	unsigned count, scenario = best_scenario(first, &count);
	struct result *result = &shared->results[first], strict, together;
	enum outcome outcome;
	struct hands hands;
	struct stop group;
	uint32_t done;

	if (!count) {
		result->outcome = NOT_REACHED;
		return;
	}
	group_fill(first, scenario);
	outcome = run_child(&scenarios[scenario],
			    shared->settings.seed * 1000003ull + first * 31);
	hands = hands_of_victims();
	strict = group_result(outcome, scenario, hands.least);
	together = group_result(outcome, scenario, hands.all);
	if (is_fault(outcome))
		note_failure(first, scenario);
	group = stop;
	done = group_note(&strict, scenario);
	group_count(&strict, done);
	if (!group_split(&group, done) && is_amiss(&together)) {
		result->outcome = together.outcome;
		result->live_size = together.live_size;
		result->claimed_size = together.claimed_size;
	}
}

static void scenarios_run(void)
{
	uint32_t i;

	for (;;) {
		i = atomic_fetch_add(&shared->next, 1);
		if (i >= scenario_count() || atomic_load(&shared->interrupted))
			return;
		if (shared->settings.scenarios >> i & 1)
			survey(i);
	}
}

static void stops_run(void)
{
	uint32_t i;

	for (;;) {
		i = atomic_fetch_add(&shared->next, 1);
		if (i >= text.nr || is_over())
			return;
		if (!is_free(i))
			continue;
		if (are_grouped())
			stop_at_group(i);
		else
			stop_at(i);
	}
}

/* Before the heap is warm, of which it is a part. */
static void steps_prepare(void)
{
	static char out[1 << 16];

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if (options.report)
		report_open(options.report, true);
	trap_start();
}

int server_run(void)
{
	bool by_steps = options.steps || options.last;

	signal(SIGINT, SIG_IGN); /* the driver says when to end */
	signal(SIGTERM, SIG_IGN);
	unsetenv("LD_PRELOAD");
	putenv(scenario_conf);
	outside_open();
	text_find(options.library);
	seldom_open();
	if (by_steps)
		steps_prepare();
	load_warm_up(by_steps ? &rare_parts : &seldom_parts);
	cell = &shared->cells[options.server];
	if (options.steps)
		steps_run();
	else if (options.last)
		last_run();
	else if (!shared->settings.mode)
		scenarios_run();
	else
		stops_run();
	return 0;
}
