/* churn: threads that live shortly and leave blocks behind
 *
 * A short-lived thread allocates some blocks, frees every second one, puts
 * the rest as a bag into a table of bags and frees those of the bag that lay
 * there: blocks of a thread that has mostly ended. The number of threads
 * started depends on the operations alone; --threads says how many live at a
 * time.
 */
#include "shared.h"

#include <stdatomic.h>

#define PER_THREAD 1024UL
#define NR_LEFT (PER_THREAD / 2)
#define NR_TABLE 16
#define SIZE_LOW 16
#define SIZE_HIGH 1024

struct bag {
	struct block blocks[NR_LEFT];
};

struct shared {
	atomic_ulong nr_started;
	_Atomic(struct bag *) table[NR_TABLE];
	struct bag bags[];	/* the table's, then one of each worker */
};

/* What a short-lived thread is given; only its bag is empty. */
struct life {
	struct worker *worker;
	struct bag *bag;
	unsigned long nr;
};

static void allocate(struct life *life)
{
	struct worker *worker = life->worker;
	struct block block;

	for (unsigned long i = 0; i < life->nr; i++) {
		block_get(worker->run,
			  i % 2 ? &life->bag->blocks[i / 2] : &block,
			  load_skewed(worker, SIZE_LOW, SIZE_HIGH));
		if (i % 2 || i + 1 == life->nr)
			block_put(worker->run, &block);
	}
}

static void *live(void *argument)
{
	struct life *life = argument;
	struct worker *worker = life->worker;
	struct shared *shared = worker->shared;
	size_t at = load_below(worker, NR_TABLE);

	allocate(life);
	/* Acquire what another thread released: the blocks and their bytes. */
	life->bag = atomic_exchange_explicit(&shared->table[at], life->bag,
					     memory_order_acq_rel);
	blocks_put(worker->run, life->bag->blocks, NR_LEFT);
	return NULL;
}

static void body(struct worker *worker)
{
	struct shared *shared = worker->shared;
	unsigned long total = worker->run->operations, from;
	struct life life = { worker, &shared->bags[NR_TABLE + worker->index],
			     0 };

	while ((from = atomic_fetch_add_explicit(&shared->nr_started, 1,
						 memory_order_relaxed) *
		PER_THREAD) < total) {
		life.nr = total - from < PER_THREAD ? total - from :
						      PER_THREAD;
		pthread_join(thread_start(live, &life), NULL);
	}
}

static void churn_run(const struct run *run)
{
	size_t nr = NR_TABLE + run->threads;
	size_t bytes = sizeof(struct shared) + nr * sizeof(struct bag);
	struct shared *shared = load_table(bytes);

	for (size_t i = 0; i < NR_TABLE; i++)
		atomic_init(&shared->table[i], &shared->bags[i]);
	load_parallel(run, body, shared);
	for (size_t i = 0; i < nr; i++)
		blocks_put(run, shared->bags[i].blocks, NR_LEFT);
	load_table_free(shared, bytes);
}

LOAD(churn) = {
	.name = "churn",
	.about = "threads that allocate 1,024 blocks of 16 B to 1 KiB, free "
		 "half and leave the rest to others (a thread per request: "
		 "Larson and Krishnan, 1998)",
	.parallel = true, .operations = 4500000, .run = churn_run
};
