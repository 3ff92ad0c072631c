/* child: one stop from start to end */
#include "sweep.h"

#include <unistd.h>

#include "../harness/raw.h"

static void start_threads(const struct scenario *s, uint64_t seed)
{
	unsigned i, steps = shared->settings.work;

	for (i = 0; i < NR_WORKERS; i++) {
		workers[i] = (struct worker){
			.random = seed * 1000003 + i,
			.index = i,
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
	for (i = 0; i < 3; i++)
		while (!atomic_load(&cell->tids[i]))
			raw_sleep_us(20);
}

/* ---- the wait ---- */

/* Whether this worker must finish: not so the one that stands or is gone. One
 * whose vfork child is gone goes on. */
static bool is_needed(int i)
{
	int victim = atomic_load(&cell->victim);
	bool gone = stop.mode == 'a' ||
		    (stop.mode == 'b' && !atomic_load(&cell->borrowed));

	if (i == 3 && !atomic_load(&late_worker_runs) &&
	    !atomic_load(&cell->tids[3]))
		return false;
	return !(gone && victim == i);
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

	for (i = 0; i < NR_WORKERS; i++)
		if (must_finish(i) && !waits_for_victim(i))
			return false;
	return true;
}

/* Who waits is left behind, and sleeps should the helper come: its blocks are
 * freed here. False: one of them goes on. */
static bool waiting_left(void)
{
	int i, waits;

	for (i = 0; i < NR_WORKERS; i++) {
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
