/* slabs: patterns that slab allocators are usually timed with
 *
 * One size with a live window; mixed sizes; a random live set; the shortest
 * cycle.
 */
#include "loads/blocks.h"

#define WINDOW 256
#define ONE_SIZE 64
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
	struct block window[WINDOW] = { { NULL, 0 } };

	for (unsigned long i = 0; i < worker->operations; i++)
		block_renew(worker->run, &window[i % WINDOW],
			    small_mostly(worker));
	blocks_put(worker->run, window, WINDOW);
}

static void random_body(struct worker *worker)
{
	struct block *live = load_table(LIVE * sizeof(*live));

	for (unsigned long i = 0; i < worker->operations; i++)
		block_renew(worker->run, &live[load_below(worker, LIVE)],
			    load_between(worker, 16, 512));
	blocks_put(worker->run, live, LIVE);
	load_table_free(live, LIVE * sizeof(*live));
}

static void cycles_body(struct worker *worker)
{
	const struct run *run = worker->run;

	for (unsigned long i = 0; i < worker->operations; i++) {
		size_t size = 16 + i * 40 % 512;

		load_put(run, load_get(run, size), size);
	}
}

static void cycles_run(const struct run *run)
{
	double all;

	load_parallel(run, cycles_body, NULL);
	all = (double)run->operations / load_seconds();
	load_result("cycles_per_second", all);
	load_result("of_one_thread", all / run->threads);
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

LOAD(random) = {
	.name = "random",
	.about = "16 to 512 B, 4,096 alive, any of them is replaced "
		 "(random lifetimes: Zorn and Grunwald, 1992)",
	.parallel = true, .operations = 8000000, .body = random_body
};

LOAD(cycles) = {
	.name = "cycles",
	.about = "malloc, write, free at once, 16 to 527 B "
		 "(the shortest path: Kanev et al., Mallacc, ASPLOS 2017)",
	.parallel = true, .operations = 15000000, .run = cycles_run
};
