/* large: blocks that most allocators take from the system or in runs of pages
 *
 * The live set of all threads together is the same for any number of them, so
 * that memory does not grow with the threads.
 */
#include "loads/blocks.h"

#include <stdlib.h>
#include <string.h>

#define LARGE_LIVE 64
#define CHURN_LIVE 8
#define CALLOC_LIVE 128

static size_t share(const struct run *run, size_t live)
{
	return run->threads < live ? live / run->threads : 1;
}

static void large_body(struct worker *worker)
{
	struct block live[LARGE_LIVE] = { { NULL, 0 } };
	size_t nr = share(worker->run, LARGE_LIVE);

	for (unsigned long i = 0; i < worker->operations; i++) {
		struct block *block = &live[load_below(worker, nr)];

		block_renew(worker->run, block,
			    load_skewed(worker, 64 << 10, 4 << 20));
		if (!worker->run->verify)
			load_pages(block->at, 0, block->size);
	}
	blocks_put(worker->run, live, nr);
}

static void churn_body(struct worker *worker)
{
	struct block live[CHURN_LIVE] = { { NULL, 0 } };

	for (unsigned long i = 0; i < worker->operations; i++)
		block_renew(worker->run, &live[i % CHURN_LIVE],
			    load_between(worker, 40 << 10, 256 << 10));
	blocks_put(worker->run, live, CHURN_LIVE);
}

static void check_zero(const unsigned char *block, size_t size)
{
	if (size && (block[0] || memcmp(block, block + 1, size - 1)))
		load_die("a block of calloc's, of %zu bytes, is not zero",
			 size);
}

static void calloc_renew(struct worker *worker, struct block *block,
			 size_t size)
{
	const struct run *run = worker->run;

	block_put(run, block);
	block->at = calloc(1, size);
	block->size = size;
	load_must(block->at, size);
	if (run->verify)
		check_zero(block->at, size);
	load_fill(run, block->at, size);
	if (!run->verify)
		load_pages(block->at, 0, size);
}

static void calloc_body(struct worker *worker)
{
	struct block live[CALLOC_LIVE] = { { NULL, 0 } };
	size_t nr = share(worker->run, CALLOC_LIVE);

	for (unsigned long i = 0; i < worker->operations; i++)
		calloc_renew(worker, &live[load_below(worker, nr)],
			     load_skewed(worker, 64, 256 << 10));
	blocks_put(worker->run, live, nr);
}

LOAD(large) = {
	.name = "large",
	.about = "64 KiB to 4 MiB, 64 alive, a byte of each page written "
		 "(after malloc-large as mimalloc-bench describes it)",
	.parallel = true, .operations = 8000, .body = large_body
};

LOAD(large_churn) = {
	.name = "large-churn",
	.about = "40 to 256 KiB, 8 alive, first and last byte written "
		 "(about the threshold of mmap that mallopt(3) tells of)",
	.parallel = true, .operations = 200000, .body = churn_body
};

LOAD(calloc) = {
	.name = "calloc",
	.about = "calloc of 64 B to 256 KiB, 128 alive, fresh and recycled "
		 "(zeroing: Yang et al., Why Nothing Matters, OOPSLA 2011)",
	.parallel = true, .operations = 120000, .body = calloc_body
};
