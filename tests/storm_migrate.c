/* storm_migrate: threads hop over the CPUs in the middle of everything
 *
 * Each thread moves itself between batches; one thread more moves the others
 * at instants that they do not choose. A batch covers all sizes of small
 * blocks, and one in 64 is large.
 */
#include "storm.h"

#include "../stress/harness/cpus.h"

#define BATCH 48

static cpu_set_t allowed;
static _Atomic(pid_t) *tids; /* 0, the mover itself, until known */
static atomic_uint nr_done;

/* CPUs may be taken away meanwhile: that is part of the storm. */
static void hop(pid_t tid, struct rng *rng)
{
	cpus_go(tid, &allowed, rng_next(rng));
}

static size_t size_nth(struct rng *rng, unsigned n)
{
	if (n % 64 == 63)
		return 32 * KIB + rng_below(rng, 256 * KIB);
	if (n % 2)
		return 1 + n * 8 % 1024;
	return rng_size(rng, 32 * KIB);
}

/* Allocates here, frees half there, and the other half at a third place. */
static void batch(unsigned index, unsigned round, struct rng *rng)
{
	struct block blocks[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		must(block_malloc(&blocks[i], size_nth(rng, round * BATCH + i),
				  index));
	hop(0, rng);
	for (unsigned i = 0; i < BATCH; i += 2)
		block_free(&blocks[i]);
	hop(0, rng);
	for (unsigned i = 1; i < BATCH; i += 2)
		block_free(&blocks[i]);
}

static void move_others(void)
{
	struct rng rng = rng_make(storm.threads);

	while (atomic_load(&nr_done) < storm.threads) {
		hop(tids[rng_below(&rng, storm.threads)], &rng);
		if (!rng_below(&rng, 4))
			sched_yield();
	}
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg, i;
	struct rng rng = rng_make(index);

	if (index == storm.threads) {
		move_others();
		return NULL;
	}
	tids[index] = (pid_t)syscall(SYS_gettid);
	for (i = 0; i < storm.rounds; i++)
		batch(index, i, &rng);
	/* The tid stays valid until nobody is moved any more. */
	atomic_fetch_add(&nr_done, 1);
	while (atomic_load(&nr_done) < storm.threads)
		sched_yield();
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 8, 2000);
	must(!sched_getaffinity(0, sizeof(allowed), &allowed));
	tids = storm_map(storm.threads * sizeof(*tids));
	must(tids);
	storm_parallel(storm.threads + 1, work, 256 * KIB);
	return storm_done();
}
