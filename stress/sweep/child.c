/* child: one stop from start to end */
#include "sweep.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "pageheap/region.h"
#include "raw.h"

struct cell *cell;

static _Atomic(uint32_t) started, changed;

_Noreturn void child_fail(enum outcome outcome, const char *what)
{
	uint32_t none = NOT_RUN;

	/* The first fault counts. */
	if (cell &&
	    atomic_compare_exchange_strong(&cell->outcome, &none, outcome))
		snprintf(cell->text, sizeof(cell->text), "%s", what);
	else if (!cell)
		dprintf(2, "sweep: %s\n", what);
	_exit(1);
}

static void futex(_Atomic(uint32_t) *word, int op, uint32_t value,
		  const struct timespec *time)
{
	raw_4(SYS_futex, word, op, value, time);
}

void child_wait_for_start(void)
{
	while (!atomic_load(&started))
		futex(&started, FUTEX_WAIT_PRIVATE, 0, NULL);
}

void child_wake(void)
{
	atomic_fetch_add(&changed, 1);
	futex(&changed, FUTEX_WAKE_PRIVATE, 1, NULL);
}

/* ---- threads, started behind the library's back: in the reset scenarios
 * they are there before the library starts ---- */

static void start_thread(struct worker *w)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	pthread_attr_t attr;
	pthread_t thread;

	*(void **)(void *)&create = dlsym(libc, "pthread_create");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	if (!create || create(&thread, &attr, load_run, w))
		child_fail(CRASHED, "no thread");
}

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
		};
		if (i != 3)
			start_thread(&workers[i]);
	}
	for (i = 0; i < 3; i++)
		while (!atomic_load(&cell->tids[i]))
			raw_sleep_us(20);
}

/* ---- the wait ---- */

/* Whether this worker must finish: not so the one that stands or is gone, nor
 * who waits for a helper that stands. One whose vfork child is gone goes on. */
static bool is_needed(int i)
{
	int victim = atomic_load(&cell->victim);
	bool gone = stop.mode == 'a' ||
		    (stop.mode == 'b' && !atomic_load(&cell->borrowed));

	if (i == 3 && !atomic_load(&late_worker_runs) &&
	    !atomic_load(&cell->tids[3]))
		return false;
	if (stop.mode == 'a' && victim == BARE &&
	    atomic_load(&workers[i].waits_for_helper))
		return false;
	return !(gone && victim == i);
}

static bool all_done(void)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (is_needed(i) && !atomic_load(&workers[i].done))
			return false;
	return true;
}

static void wait_for_all(const struct scenario *s)
{
	const struct timespec pause = { 0, 500000 };

	while (!all_done()) {
		uint32_t seen = atomic_load(&changed);

		scenario_go_on(s, atomic_load(&cell->progress));
		if (!all_done())
			futex(&changed, FUTEX_WAIT_PRIVATE, seen, &pause);
	}
	if (s->linger && atomic_load(&cell->victim) == NOBODY)
		raw_sleep_us(s->linger * 1000);
}

/* ---- the checks ---- */

/* Units of all regions that are not free, by the page heap's own words. */
static uint64_t claimed_size(void)
{
	struct region *all = text_symbol("regions");
	uint64_t units = 0;
	uint32_t word;
	unsigned i, l;

	for (i = 0; all && i < NR_REGIONS_MOST; i++) {
		struct region *r = &all[i];

		if (!region_is_ready(r))
			continue;
		units += load_relaxed(&r->nr_mapped); // quiet
		for (l = 0; l < NR_LEVELS; l++)
			for (word = 0; word < r->levels[l].nr_words; word++)
				units -= (uint64_t)bits_count(load_relaxed(
						 &r->levels[l].words[word]))
					 << 6 * l; // quiet
	}
	return units << UNIT_SHIFT;
}

static void check_heap(void)
{
	load_verify_warm();
	load_free_all();
	load_purge();
	load_purge();
	if (load_live_size(&cell->live_size))
		cell->claimed_size = claimed_size();
}

_Noreturn void child_run(const struct scenario *s, uint64_t seed)
{
	uint32_t none = NOT_RUN;

	start_threads(s, seed);
	scenario_enter(s);
	stop_prepare();
	atomic_store(&started, 1);
	futex(&started, FUTEX_WAKE_PRIVATE, NR_WORKERS, NULL);
	wait_for_all(s);
	atomic_store(&cell->finished, true);
	stop_finish();
	if (!stop.survey && !stop.nothing &&
	    atomic_load(&cell->victim) == NOBODY)
		child_fail(NOT_REACHED, "");
	check_heap();
	atomic_compare_exchange_strong(&cell->outcome, &none, STOPPED);
	_exit(0);
}
