/* pages: blocks of a page's size in batches, and the shortest cycle */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 256

static void batches(struct worker *worker, size_t size)
{
	const struct run *run = worker->run;
	unsigned long left = worker->operations;
	void *blocks[BATCH];

	while (left) {
		unsigned long nr = left < BATCH ? left : BATCH;

		for (unsigned long i = 0; i < nr; i++) {
			blocks[i] = load_get(run, size);
			if (!run->verify)
				memset(blocks[i], (int)i, size);
		}
		for (unsigned long i = 0; i < nr; i++)
			load_put(run, blocks[i], size);
		left -= nr;
	}
}

static void page_1k_body(struct worker *worker)
{
	batches(worker, 1024);
}

static void page_4k_body(struct worker *worker)
{
	batches(worker, 4096);
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

LOAD(page_1k) = {
	.name = "page-1k",
	.about = "1 KiB, written, in batches of 256 "
		 "(LLFree's bulk benchmark: Wrenger et al., USENIX ATC 2023)",
	.parallel = true, .operations = 600000, .body = page_1k_body
};

LOAD(page_4k) = {
	.name = "page-4k",
	.about = "4 KiB, written, in batches of 256 "
		 "(LLFree's bulk benchmark: Wrenger et al., USENIX ATC 2023)",
	.parallel = true, .operations = 120000, .body = page_4k_body
};

LOAD(cycles) = {
	.name = "cycles",
	.about = "malloc, write, free at once, 16 to 527 B "
		 "(the shortest path: Kanev et al., Mallacc, ASPLOS 2017)",
	.parallel = true, .operations = 15000000, .run = cycles_run
};
