/* bursts: all threads allocate at once, then each frees its neighbour's
 *
 * The phases of a program that computes in steps: a barrier stands between
 * allocating and freeing, so that all threads meet in the same function.
 */
#include "shared.h"

#define NR_BLOCKS 32768UL	/* of all threads in one burst */
#define SIZE_LOW 16
#define SIZE_HIGH 512

struct shared {
	pthread_barrier_t barrier;
	unsigned long each;	/* blocks of a thread in one burst */
	struct block *blocks;
};

/* What this thread allocates in the burst that begins at operation `from`. */
static unsigned long share(struct worker *worker, unsigned long from)
{
	struct shared *shared = worker->shared;
	unsigned long total = worker->run->operations;

	from += worker->index * shared->each;
	if (from >= total)
		return 0;
	return total - from < shared->each ? total - from : shared->each;
}

static void burst(struct worker *worker, unsigned long from)
{
	struct shared *shared = worker->shared;
	unsigned neighbour = (worker->index + 1) % worker->run->threads;
	struct block *own = &shared->blocks[worker->index * shared->each];
	unsigned long nr = share(worker, from);

	for (unsigned long i = 0; i < nr; i++)
		block_get(worker->run, &own[i],
			  load_skewed(worker, SIZE_LOW, SIZE_HIGH));
	pthread_barrier_wait(&shared->barrier);
	blocks_put(worker->run, &shared->blocks[neighbour * shared->each],
		   shared->each);
	pthread_barrier_wait(&shared->barrier);
}

static void body(struct worker *worker)
{
	struct shared *shared = worker->shared;
	unsigned long total = worker->run->operations, from;

	for (from = 0; from < total;
	     from += worker->run->threads * shared->each)
		burst(worker, from);
}

static void bursts_run(const struct run *run)
{
	struct shared shared = { .each = NR_BLOCKS / run->threads };
	size_t bytes;

	if (!shared.each)
		shared.each = 1;
	bytes = run->threads * shared.each * sizeof(struct block);
	shared.blocks = load_table(bytes);
	pthread_barrier_init(&shared.barrier, NULL, run->threads);
	load_parallel(run, body, &shared);
	pthread_barrier_destroy(&shared.barrier);
	load_table_free(shared.blocks, bytes);
}

LOAD(bursts) = {
	.name = "bursts",
	.about = "all threads allocate 32,768 blocks of 16 to 512 B, then "
		 "each frees its neighbour's, between barriers (bulk-"
		 "synchronous programs: Valiant, 1990)",
	.parallel = true, .operations = 6000000, .run = bursts_run
};
