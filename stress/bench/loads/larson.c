/* larson: a server whose threads are replaced, their sessions going on
 *
 * A lane is an array of blocks and the thread that works on it: it replaces
 * random blocks, then starts its successor, which inherits the array, and
 * ends. So a block is often freed by a later thread than the one that
 * allocated it.
 */
#include "shared.h"

#include <semaphore.h>

#define NR_BLOCKS 512
#define SIZE_LOW 10
#define SIZE_HIGH 500
/* Threads in all, but no lane has less than two. */
#define NR_STARTS 512

struct lane {
	struct worker worker;
	unsigned nr_generations;	/* the ones to come, with this one */
	bool has_ended;			/* a thread; the one below */
	pthread_t ended;
	sem_t done;
	struct block blocks[NR_BLOCKS];
};

static void replace(struct lane *lane)
{
	struct worker *worker = &lane->worker;
	unsigned long nr = worker->operations / lane->nr_generations;

	for (unsigned long i = 0; i < nr; i++) {
		struct block *block =
			&lane->blocks[load_below(worker, NR_BLOCKS)];

		block_put(worker->run, block);
		block_get(worker->run, block,
			  load_between(worker, SIZE_LOW, SIZE_HIGH));
	}
	worker->operations -= nr;
}

/* The predecessor ends while this generation works; it is waited for last. */
static void *generation(void *argument)
{
	struct lane *lane = argument;

	replace(lane);
	if (lane->has_ended)
		pthread_join(lane->ended, NULL);
	lane->ended = pthread_self();
	lane->has_ended = true;
	if (--lane->nr_generations) {
		thread_start(generation, lane);
		return NULL;
	}
	blocks_put(lane->worker.run, lane->blocks, NR_BLOCKS);
	sem_post(&lane->done);
	return NULL;
}

static void lane_start(struct lane *lane, const struct run *run,
		       unsigned index)
{
	lane->worker = load_worker(run, index);
	lane->nr_generations = NR_STARTS / run->threads;
	if (lane->nr_generations < 2)
		lane->nr_generations = 2;
	sem_init(&lane->done, 0, 0);
	thread_start(generation, lane);
}

static void lane_end(struct lane *lane)
{
	while (sem_wait(&lane->done))
		;
	pthread_join(lane->ended, NULL);
	sem_destroy(&lane->done);
}

static void larson_run(const struct run *run)
{
	size_t bytes = run->threads * sizeof(struct lane);
	struct lane *lanes = load_table(bytes);

	for (unsigned i = 0; i < run->threads; i++)
		lane_start(&lanes[i], run, i);
	for (unsigned i = 0; i < run->threads; i++)
		lane_end(&lanes[i]);
	load_table_free(lanes, bytes);
}

LOAD(larson) = {
	.name = "larson",
	.about = "a server: threads replace random blocks of 10 to 500 B, "
		 "then a new thread inherits them (Larson and Krishnan, Memory "
		 "Allocation for Long-Running Server Applications, 1998)",
	.parallel = true, .operations = 18000000, .run = larson_run
};
