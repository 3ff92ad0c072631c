/* fleet0..9, shiftA-B: heaps that live by the profiles of a fleet
 *
 * Stages, each ended by a mark: `fill`, the first heap comes; `steady`, as
 * many bytes are born as live; `shift` (of shiftA-B), what lives of profile A
 * dies at random within two fifths of the time while B's heap comes, and B's
 * blocks are born and die; `shrink`, nine of ten blocks die at random; `idle`,
 * four seconds in which each thread allocates and frees two blocks every 50
 * milliseconds. But for the first and the last, each takes a second, or longer
 * where the malloc is slow. Operations are MiB of live memory.
 */
#include "../board.h"
#include "../fleet.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGEST_SHARE 32	/* sizes above this part of the heap are left */
#define IDLE_TURNS 80
#define IDLE_PERIOD_US 50000

struct fleet {
	pthread_barrier_t barrier;
	int from, to;		/* to: -1, no shift */
	struct part *parts;
	struct profile *profiles[FLEET_PROFILES];
};

static void mark(struct fleet *fleet, struct worker *worker, const char *name)
{
	pthread_barrier_wait(&fleet->barrier);
	if (!worker->index)
		board_mark(name);
	pthread_barrier_wait(&fleet->barrier);
}

static void shift(struct fleet *fleet, struct part *part)
{
	struct stage stage = {
		.span = profile_turnover(fleet->profiles[1]),
		.profile = 1, .comes = true
	};

	part_plan(part, stage.span, die_early);
	part_run(part, &stage);
	mark(fleet, part->worker, "shift");
}

static void steady(struct fleet *fleet, struct part *part)
{
	struct stage stage = { .span = profile_turnover(fleet->profiles[0]) };

	part_plan(part, stage.span, die_by_profile);
	part_run(part, &stage);
	mark(fleet, part->worker, "steady");
}

static void shrink(struct fleet *fleet, struct part *part)
{
	struct stage stage = { .span = 1, .profile = -1 };

	part_plan(part, stage.span, die_mostly);
	part_run(part, &stage);
	mark(fleet, part->worker, "shrink");
}

static void idle(struct fleet *fleet, struct part *part)
{
	for (int i = 0; i < IDLE_TURNS; i++) {
		void *small = board_get(64), *larger = board_get(3000);

		board_put(small, 64);
		board_put(larger, 3000);
		usleep(IDLE_PERIOD_US);
	}
	mark(fleet, part->worker, "idle");
}

static void live(struct worker *worker)
{
	struct fleet *fleet = worker->shared;
	struct part *part = &fleet->parts[worker->index];
	unsigned nr = worker->run->threads;

	part->worker = worker;
	part->neighbour = &fleet->parts[(worker->index + 1) % nr];
	part_make(part, fleet->profiles, (worker->run->operations << 20) / nr);
	part_fill(part);
	mark(fleet, worker, "fill");
	steady(fleet, part);
	if (fleet->to >= 0)
		shift(fleet, part);
	shrink(fleet, part);
	idle(fleet, part);
	part_end(part);
}

static void run(const struct run *run, int from, int to)
{
	size_t most = (run->operations << 20) / LARGEST_SHARE;
	struct fleet fleet = { .from = from, .to = to };

	fleet.parts = board_table(run->threads * sizeof(*fleet.parts));
	fleet.profiles[0] = profile_read((unsigned)from, most);
	if (to >= 0)
		fleet.profiles[1] = profile_read((unsigned)to, most);
	pthread_barrier_init(&fleet.barrier, NULL, run->threads);
	load_parallel(run, live, &fleet);
	pthread_barrier_destroy(&fleet.barrier);
}

#define FLEET(a)							\
	static void run_##a(const struct run *r) { run(r, a, -1); }	\
	LOAD(fleet_##a) = {						\
		.name = "fleet" #a,					\
		.about = "lives by profile " #a "; fleetbench",		\
		.parallel = true, .operations = 256, .run = run_##a	\
	};
FLEET(0) FLEET(1) FLEET(2) FLEET(3) FLEET(4)
FLEET(5) FLEET(6) FLEET(7) FLEET(8) FLEET(9)

#define SHIFT(a, b)							\
	static void run_##a##_##b(const struct run *r) { run(r, a, b); } \
	LOAD(shift_##a##_##b) = {					\
		.name = "shift" #a "-" #b,				\
		.about = "profile " #a ", then " #b "; fleetbench",	\
		.parallel = true, .operations = 256, .run = run_##a##_##b \
	};
#define SHIFTS(a)							\
	SHIFT(a, 0) SHIFT(a, 1) SHIFT(a, 2) SHIFT(a, 3) SHIFT(a, 4)	\
	SHIFT(a, 5) SHIFT(a, 6) SHIFT(a, 7) SHIFT(a, 8) SHIFT(a, 9)
SHIFTS(0) SHIFTS(1) SHIFTS(2) SHIFTS(3) SHIFTS(4)
SHIFTS(5) SHIFTS(6) SHIFTS(7) SHIFTS(8) SHIFTS(9)
