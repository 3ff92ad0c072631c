/* aligned: aligned_alloc and posix_memalign, alignments of 16 to 4096 */
#include "loads/blocks.h"

#include <stdlib.h>

#define LIVE 512

/* Three times of four aligned_alloc, whose sizes are whole alignments. */
static void aligned_renew(struct worker *worker, struct block *block)
{
	const struct run *run = worker->run;
	size_t align = (size_t)16 << load_below(worker, 9);
	size_t size = load_skewed(worker, 16, 8192);

	block_put(run, block);
	if (load_below(worker, 4)) {
		size = (size + align - 1) & ~(align - 1);
		block->at = aligned_alloc(align, size);
	} else if (posix_memalign(&block->at, align, size)) {
		block->at = NULL;
	}
	load_must(block->at, size);
	if (run->verify && (uintptr_t)block->at % align)
		load_die("%p is not aligned to %zu", block->at, align);
	load_fill(run, block->at, size);
	block->size = size;
}

static void aligned_body(struct worker *worker)
{
	size_t bytes = LIVE * sizeof(struct block);
	struct block *live = load_table(bytes);

	for (unsigned long i = 0; i < worker->operations; i++)
		aligned_renew(worker, &live[load_below(worker, LIVE)]);
	blocks_put(worker->run, live, LIVE);
	load_table_free(live, bytes);
}

LOAD(aligned) = {
	.name = "aligned",
	.about = "aligned_alloc and posix_memalign, 16 to 4096, 512 alive "
		 "(the calls as C11 and POSIX.1-2017 describe them)",
	.parallel = true, .operations = 1300000, .body = aligned_body
};
