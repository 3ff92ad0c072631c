/* slabs: the five patterns that slab allocators are usually timed with
 *
 * One size with a live window; mixed sizes; all allocated and then all freed,
 * in order and in reverse; a random live set.
 */
#include "loads/sized.h"

#define WINDOW 256
#define ONE_SIZE 64
#define BATCH 50000
#define BATCH_SIZE 48
#define LIVE 4096

static void single_size_body(struct worker *worker)
{
	void *window[WINDOW] = { NULL };
	const struct run *run = worker->run;

	for (unsigned long i = 0; i < worker->operations; i++) {
		if (window[i % WINDOW])
			load_put(run, window[i % WINDOW], ONE_SIZE);
		window[i % WINDOW] = load_get(run, ONE_SIZE);
	}
	for (unsigned i = 0; i < WINDOW; i++) {
		if (window[i])
			load_put(run, window[i], ONE_SIZE);
	}
}

/* Each doubling is half as likely as the one below it. */
static size_t small_mostly(struct worker *worker)
{
	unsigned doublings = (unsigned)__builtin_ctzll(load_random(worker) |
						       1 << 10);

	return load_between(worker, 16u << doublings, 32u << doublings);
}

static void mixed_sizes_body(struct worker *worker)
{
	struct sized window[WINDOW] = { { NULL, 0 } };

	for (unsigned long i = 0; i < worker->operations; i++)
		sized_renew(worker->run, &window[i % WINDOW],
			    small_mostly(worker));
	sized_drop_all(worker->run, window, WINDOW);
}

static void random_body(struct worker *worker)
{
	struct sized *live = load_table(LIVE * sizeof(*live));

	for (unsigned long i = 0; i < worker->operations; i++)
		sized_renew(worker->run, &live[load_below(worker, LIVE)],
			    load_between(worker, 16, 512));
	sized_drop_all(worker->run, live, LIVE);
	load_table_free(live, LIVE * sizeof(*live));
}

static void batches(struct worker *worker, bool reverse)
{
	void **blocks = load_table(BATCH * sizeof(*blocks));
	unsigned long left = worker->operations;

	while (left) {
		unsigned long nr = left < BATCH ? left : BATCH;

		for (unsigned long i = 0; i < nr; i++)
			blocks[i] = load_get(worker->run, BATCH_SIZE);
		for (unsigned long i = 0; i < nr; i++)
			load_put(worker->run, blocks[reverse ? nr - 1 - i : i],
				 BATCH_SIZE);
		left -= nr;
	}
	load_table_free(blocks, BATCH * sizeof(*blocks));
}

static void bulk_body(struct worker *worker)
{
	batches(worker, false);
}

static void reverse_body(struct worker *worker)
{
	batches(worker, true);
}

LOAD(single_size) = {
	.name = "single-size",
	.about = "64 B, the 256 newest alive "
		 "(Bonwick, The Slab Allocator, 1994)",
	.parallel = true, .operations = 25000000, .body = single_size_body
};

LOAD(mixed_sizes) = {
	.name = "mixed-sizes",
	.about = "16 B to 32 KiB, small mostly, the 256 newest alive "
		 "(the fleet's sizes: Hunter et al., Beyond Malloc, 2021)",
	.parallel = true, .operations = 10000000, .body = mixed_sizes_body
};

LOAD(bulk) = {
	.name = "bulk",
	.about = "50,000 of 48 B, then all freed in order "
		 "(phases: Wilson et al., Dynamic Storage Allocation, 1995)",
	.parallel = true, .operations = 18000000, .body = bulk_body
};

LOAD(reverse) = {
	.name = "reverse",
	.about = "50,000 of 48 B, then all freed, the newest first "
		 "(stacks: Wilson et al., Dynamic Storage Allocation, 1995)",
	.parallel = true, .operations = 18000000, .body = reverse_body
};

LOAD(random) = {
	.name = "random",
	.about = "16 to 512 B, 4,096 alive, any of them is replaced "
		 "(random lifetimes: Zorn and Grunwald, 1992)",
	.parallel = true, .operations = 8000000, .body = random_body
};
