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

struct kind {
	int from, to;		/* profiles; to: -1, no shift */
};

struct fleet {
	pthread_barrier_t barrier;
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

typedef double when(struct part *part, const struct item *item);

static void stage(struct fleet *fleet, struct part *part, const char *name,
		  struct stage stage, when *dies)
{
	part_plan(part, stage.span, dies);
	part_run(part, &stage);
	mark(fleet, part->worker, name);
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
	stage(fleet, part, "steady", (struct stage){
		.span = profile_turnover(fleet->profiles[0]) },
		die_by_profile);
	if (fleet->profiles[1])
		stage(fleet, part, "shift", (struct stage){
			.span = profile_turnover(fleet->profiles[1]),
			.profile = 1, .comes = true }, die_early);
	stage(fleet, part, "shrink", (struct stage){
		.span = 1, .profile = -1 }, die_mostly);
	idle(fleet, part);
	part_end(part);
}

static void fleet_run(const struct run *run)
{
	const struct kind *kind = run->kind;
	size_t most = (run->operations << 20) / LARGEST_SHARE;
	struct fleet fleet = { 0 };

	fleet.parts = board_table(run->threads * sizeof(*fleet.parts));
	fleet.profiles[0] = profile_read((unsigned)kind->from, most);
	if (kind->to >= 0)
		fleet.profiles[1] = profile_read((unsigned)kind->to, most);
	pthread_barrier_init(&fleet.barrier, NULL, run->threads);
	load_parallel(run, live, &fleet);
	pthread_barrier_destroy(&fleet.barrier);
}

#define FLEET(a)							\
	LOAD(fleet_##a) = {						\
		.name = "fleet" #a,					\
		.about = "lives by profile " #a "; fleetbench",		\
		.parallel = true, .operations = 256, .run = fleet_run,	\
		.kind = &(const struct kind){ a, -1 }			\
	};
FLEET(0) FLEET(1) FLEET(2) FLEET(3) FLEET(4)
FLEET(5) FLEET(6) FLEET(7) FLEET(8) FLEET(9)

#define SHIFT(a, b)							\
	LOAD(shift_##a##_##b) = {					\
		.name = "shift" #a "-" #b,				\
		.about = "profile " #a ", then " #b "; fleetbench",	\
		.parallel = true, .operations = 256, .run = fleet_run,	\
		.kind = &(const struct kind){ a, b }			\
	};
#define SHIFTS(a)							\
	SHIFT(a, 0) SHIFT(a, 1) SHIFT(a, 2) SHIFT(a, 3) SHIFT(a, 4)	\
	SHIFT(a, 5) SHIFT(a, 6) SHIFT(a, 7) SHIFT(a, 8) SHIFT(a, 9)
SHIFTS(0) SHIFTS(1) SHIFTS(2) SHIFTS(3) SHIFTS(4)
SHIFTS(5) SHIFTS(6) SHIFTS(7) SHIFTS(8) SHIFTS(9)
