/* child: one stop from start to end */
#include "sweep.h"

#include <unistd.h>

#include "../harness/raw.h"

static void start_threads(const struct scenario *s, uint64_t seed)
{
	unsigned i, steps = shared->settings.work;
	unsigned nr = stop_loses_several() ? NR_WORKERS + stop.nr_targets - 1
					   : NR_WORKERS;

	for (i = 0; i < nr; i++) {
		workers[i] = (struct worker){
			.random = seed * 1000003 + i,
			.index = i,
			.place = i,
			.nr_steps = i == 3 ? steps / 2 : steps,
			.no_throw = s->no_measure,
			.linger = s->linger != 0,
			.constructors = s->constructors,
			.close_stderr = s->close_stderr,
			.foreign = !s->reset,
			.rights = s->rights,
			.amiss = s->amiss,
			.outside = s->outside,
		};
		if (i != 3)
			thread_start(load_run, &workers[i]);
	}
	for (i = 0; i < nr; i++)
		while (i != 3 && !atomic_load(&cell->tids[i]))
			raw_sleep_us(20);
}

void child_succeed(const struct worker *lost)
{
	static _Atomic(unsigned) nr_called;
	unsigned n = atomic_fetch_add(&nr_called, 1);
	struct worker *w = &workers[NR_WORKERS + n];

	if (n + 1 >= stop.nr_targets)
		return;
	w->index = lost->index;
	w->nr_steps = lost->nr_steps;
	w->step = lost->step;
	child_call(w);
}

/* ---- the wait ---- */

/* Whether this worker must finish: not so those that stand or are gone. A
 * successor is called before that is said. */
static bool is_needed(int i)
{
	if (atomic_load(&cell->lost) >> i & 1)
		return false;
	if (i == 3 && !atomic_load(&late_worker_runs) &&
	    !atomic_load(&cell->tids[3]))
		return false;
	return i < NR_WORKERS || atomic_load(&workers[i].called);
}

static bool must_finish(int i)
{
	return is_needed(i) && !atomic_load(&workers[i].done);
}

/* Where the helper may be the one that stands. */
static bool waits_for_victim(int i)
{
	return stop.mode == 'a' && atomic_load(&cell->victim) == BARE &&
	       atomic_load(&workers[i].helper_wait) != WAITS_NOT;
}

static bool all_done(void)
{
	int i;

	for (i = 0; i < NR_THREADS; i++)
		if (must_finish(i) && !waits_for_victim(i))
			return false;
	return true;
}

/* Who waits is left behind, and sleeps should the helper come: its blocks are
 * freed here. False: one of them goes on. */
static bool waiting_left(void)
{
	int i, waits;

	for (i = 0; i < NR_THREADS; i++) {
		waits = WAITS;
		if (must_finish(i) &&
		    !atomic_compare_exchange_strong(&workers[i].helper_wait,
						    &waits, LEFT_BEHIND) &&
		    waits != LEFT_BEHIND)
			return false;
	}
	return true;
}

static void wait_for_all(const struct scenario *s)
{
	while (!all_done() || !waiting_left()) {
		scenario_go_on(s, atomic_load(&cell->progress),
			       shared->settings.work);
		child_wait_unless(all_done);
	}
	if (s->linger && atomic_load(&cell->victim) == NOBODY)
		raw_sleep_us(s->linger * 1000);
}

_Noreturn void child_run(const struct scenario *s, uint64_t seed)
{
	uint32_t none = NOT_RUN;

	start_threads(s, seed);
	scenario_enter(s);
	stop_prepare();
	child_start();
	wait_for_all(s);
	atomic_store(&cell->finished, true);
	stop_finish();
	if (!stop.survey && !stop.nothing &&
	    atomic_load(&cell->victim) == NOBODY)
		child_fail(NOT_REACHED, "");
	child_check_heap();
	atomic_compare_exchange_strong(&cell->outcome, &none, STOPPED);
	_exit(0);
}
