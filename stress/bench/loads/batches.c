/* batches: all of a batch is allocated, then all of it freed, and again */
#include "load.h"

#include <string.h>

struct kind {
	size_t nr, size;
	bool writes;	/* all of each block */
	bool reverses;	/* the newest is freed first */
};

static void body(struct worker *worker)
{
	const struct run *run = worker->run;
	const struct kind kind = *(const struct kind *)run->kind;
	void **blocks = load_table(kind.nr * sizeof(*blocks));
	unsigned long left = worker->operations;

	while (left) {
		unsigned long nr = left < kind.nr ? left : kind.nr;

		for (unsigned long i = 0; i < nr; i++) {
			blocks[i] = load_get(run, kind.size);
			if (kind.writes && !run->verify)
				memset(blocks[i], (int)i, kind.size);
		}
		for (unsigned long i = 0; i < nr; i++)
			load_put(run, blocks[kind.reverses ? nr - 1 - i : i],
				 kind.size);
		left -= nr;
	}
	load_table_free(blocks, kind.nr * sizeof(*blocks));
}

LOAD(bulk) = {
	.name = "bulk",
	.about = "50,000 of 48 B, then all freed in order "
		 "(phases: Wilson et al., Dynamic Storage Allocation, 1995)",
	.parallel = true, .operations = 18000000, .body = body,
	.kind = &(const struct kind){ 50000, 48, false, false }
};

LOAD(reverse) = {
	.name = "reverse",
	.about = "50,000 of 48 B, then all freed, the newest first "
		 "(stacks: Wilson et al., Dynamic Storage Allocation, 1995)",
	.parallel = true, .operations = 18000000, .body = body,
	.kind = &(const struct kind){ 50000, 48, false, true }
};

LOAD(page_1k) = {
	.name = "page-1k",
	.about = "1 KiB, written, in batches of 256 "
		 "(LLFree's bulk benchmark: Wrenger et al., USENIX ATC 2023)",
	.parallel = true, .operations = 600000, .body = body,
	.kind = &(const struct kind){ 256, 1024, true, false }
};

LOAD(page_4k) = {
	.name = "page-4k",
	.about = "4 KiB, written, in batches of 256 "
		 "(LLFree's bulk benchmark: Wrenger et al., USENIX ATC 2023)",
	.parallel = true, .operations = 120000, .body = body,
	.kind = &(const struct kind){ 256, 4096, true, false }
};
