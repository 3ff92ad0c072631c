/* flow: batches that producers fill and consumers free; see flow.h
 *
 * A fixed number of batches is under way, so that a side that is too fast
 * sleeps, until half of them wait for it: waking a sleeper costs as much as
 * many blocks.
 */
#include "flow.h"

#include <stdatomic.h>

#include "shared.h"

#define NR_WAITING 16	/* batches */

struct batch {
	size_t nr;
	struct block blocks[];
};

struct flow {
	/* Counted in batches: begun by producers, awaited by consumers. */
	_Alignas(LINE) atomic_ulong nr_made;
	_Alignas(LINE) atomic_ulong nr_taken;
	_Alignas(LINE) unsigned long operations;
	const struct flow_kind *kind;
	struct pool *full, *empty;
	void *batches;
	size_t batches_size;
};

struct flows {
	const struct flow_kind *kind;
	unsigned nr;
	struct flow *flows;
};

/* More batches than threads: nobody waits for one that another holds. */
static void flow_open(struct flow *flow, const struct flow_kind *kind,
		      size_t nr_threads)
{
	size_t nr = nr_threads + NR_WAITING;
	size_t size = sizeof(struct batch) + kind->batch * sizeof(struct block);

	flow->kind = kind;
	flow->full = pool_new(nr, NR_WAITING / 2);
	flow->empty = pool_new(nr, NR_WAITING / 2);
	flow->batches_size = nr * size;
	flow->batches = load_table(flow->batches_size);
	for (size_t i = 0; i < nr; i++)
		pool_put(flow->empty, (char *)flow->batches + i * size);
}

static void flow_close(struct flow *flow)
{
	pool_free(flow->full);
	pool_free(flow->empty);
	load_table_free(flow->batches, flow->batches_size);
}

static unsigned long next_batch(atomic_ulong *counter)
{
	return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void produce(struct worker *worker, struct flow *flow)
{
	const struct flow_kind *kind = flow->kind;
	unsigned long from;

	while ((from = next_batch(&flow->nr_made) * kind->batch) <
	       flow->operations) {
		struct batch *batch = pool_take(flow->empty, flow->full);
		unsigned long left = flow->operations - from;

		batch->nr = left < kind->batch ? left : kind->batch;
		for (size_t i = 0; i < batch->nr; i++)
			block_get(worker->run, &batch->blocks[i],
				  load_skewed(worker, kind->size_low,
					      kind->size_high));
		pool_put(flow->full, batch);
	}
	pool_wake(flow->full);
}

static void consume(struct worker *worker, struct flow *flow)
{
	while (next_batch(&flow->nr_taken) * flow->kind->batch <
	       flow->operations) {
		struct batch *batch = pool_take(flow->full, flow->empty);

		blocks_put(worker->run, batch->blocks, batch->nr);
		pool_put(flow->empty, batch);
	}
	pool_wake(flow->empty);
}

static void body(struct worker *worker)
{
	struct flows *flows = worker->shared;
	unsigned pair = flows->kind->pairs ? worker->index / 2 : 0;

	if (flows->kind->produces(worker->index))
		produce(worker, &flows->flows[pair]);
	else
		consume(worker, &flows->flows[pair]);
}

void flow_run(const struct run *given)
{
	const struct flow_kind *kind = given->kind;
	struct run run = *given;
	struct flows flows = { .kind = kind, .nr = 1 };

	if (run.threads < 2)
		run.threads = 2;
	if (kind->pairs)
		flows.nr = run.threads / 2;
	if (kind->pairs)
		run.threads = flows.nr * 2;
	flows.flows = load_table(flows.nr * sizeof(struct flow));
	for (unsigned i = 0; i < flows.nr; i++) {
		flow_open(&flows.flows[i], kind, run.threads / flows.nr);
		flows.flows[i].operations = run.operations / flows.nr +
			(i < run.operations % flows.nr);
	}
	load_parallel(&run, body, &flows);
	for (unsigned i = 0; i < flows.nr; i++)
		flow_close(&flows.flows[i]);
	load_table_free(flows.flows, flows.nr * sizeof(struct flow));
}
