/* live-set: random live sets, whose blocks change hands
 *
 * Each thread replaces random blocks of its own set; now and then it swaps
 * one with whatever lies in a table that all threads share.
 *
 * What is swapped are items, a block each with its size. All items are in one
 * array, and an item is in exactly one place: a thread's set, or the table.
 */
#include "shared.h"

#include <stdatomic.h>

#define NR_OWN 128	/* items of a thread */
#define NR_SHARED 512
#define ONE_IN 8	/* operations swap an item */

struct shared {
	_Atomic(struct block *) table[NR_SHARED];
	struct block items[];	/* those of the threads, then the table's */
};

/* Of a thousand blocks one is large, ten are middle-sized. */
static size_t random_size(struct worker *worker)
{
	size_t kind = load_below(worker, 1000);

	if (kind == 0)
		return load_skewed(worker, 64 << 10, 1 << 20);
	if (kind <= 10)
		return load_skewed(worker, 2 << 10, 64 << 10);
	return load_skewed(worker, 16, 2 << 10);
}

static void swap(struct worker *worker, struct block **own)
{
	struct shared *shared = worker->shared;
	size_t i = load_below(worker, NR_SHARED);

	/* Acquire what another thread released: the block and its bytes. */
	*own = atomic_exchange_explicit(&shared->table[i], *own,
					memory_order_acq_rel);
}

static void body(struct worker *worker)
{
	struct shared *shared = worker->shared;
	struct block *own[NR_OWN];

	for (size_t i = 0; i < NR_OWN; i++)
		own[i] = &shared->items[worker->index * NR_OWN + i];
	for (unsigned long n = 0; n < worker->operations; n++) {
		size_t i = load_below(worker, NR_OWN);

		block_put(worker->run, own[i]);
		block_get(worker->run, own[i], random_size(worker));
		if (load_below(worker, ONE_IN) == 0)
			swap(worker, &own[i]);
	}
	for (size_t i = 0; i < NR_OWN; i++)
		block_put(worker->run, own[i]);
}

static void live_set_run(const struct run *run)
{
	size_t nr_own = (size_t)run->threads * NR_OWN;
	size_t nr = nr_own + NR_SHARED;
	size_t bytes = sizeof(struct shared) + nr * sizeof(struct block);
	struct shared *shared = load_table(bytes);

	for (size_t i = 0; i < NR_SHARED; i++)
		atomic_init(&shared->table[i], &shared->items[nr_own + i]);
	load_parallel(run, body, shared);
	blocks_put(run, shared->items, nr);
	load_table_free(shared, bytes);
}

LOAD(live_set) = {
	.name = "live-set",
	.about = "random live sets of 16 B to 2 KiB, rarely to 1 MiB, swapped "
		 "between the threads (mstress of mimalloc-bench: Leijen et "
		 "al., Mimalloc, 2019)",
	.parallel = true, .operations = 8000000, .run = live_set_run
};
