/* values, strings, phases, drift: one thread, patterns that leave holes
 *
 * Each marks `work` when it has done its work, and `idle` after four seconds
 * in which it does nothing at all: with one thread and no call, memory comes
 * back at once or never. Operations are MiB of live memory at most.
 */
#include "../board.h"

#include "load.h"

#define NR_STRINGS 200
#define NR_PHASES 30
#define NR_DRIFTS 12
#define SURVIVORS 50	/* one block in so many outlives its phase */

struct block {
	void *bytes;
	size_t size;
};

static void block_drop(struct block *block)
{
	board_put(block->bytes, block->size);
	*block = (struct block){ 0 };
}

static void block_renew(struct block *block, size_t size)
{
	block_drop(block);
	block->bytes = board_get(size);
	block->size = size;
}

/* ---- values ---- */

static void values(const struct run *run)
{
	struct worker worker = load_worker(run, 0);
	size_t most = run->operations << 20, nr = run->operations / 4;
	struct block *blocks = board_table((nr + 1) * sizeof(*blocks));
	size_t live = 0;

	for (size_t i = 0; i < 8 * nr; i++) {
		struct block *block = &blocks[load_below(&worker, nr + 1)];

		live -= block->size;
		block_renew(block, load_between(&worker, 4 << 20, 12 << 20));
		live += block->size;
		while (live > most) {
			block = &blocks[load_below(&worker, nr + 1)];
			live -= block->size;
			block_drop(block);
		}
	}
	board_rest("work");
}

LOAD(values) = {
	.name = "values",
	.about = "4 to 12 MiB each, dropped at random above a limit",
	.operations = 600, .run = values
};

/* ---- strings ---- */

static void strings(const struct run *run)
{
	size_t most = (run->operations << 20) / NR_STRINGS, old = 0;
	void *blocks[NR_STRINGS] = { 0 };

	for (size_t size = 64; size < most; size += size / 4 + 16) {
		for (int i = 0; i < NR_STRINGS; i++)
			blocks[i] = board_resize(blocks[i], old, size);
		old = size;
	}
	board_rest("work");
}

LOAD(strings) = {
	.name = "strings",
	.about = "200 of them grow in turns by a quarter",
	.operations = 200, .run = strings
};

/* ---- phases ---- */

static void phase(size_t size, size_t nr, void **blocks)
{
	for (size_t i = 0; i < nr; i++)
		blocks[i] = board_get(size);
	for (size_t i = 0; i < nr; i++) {
		if (i % SURVIVORS)
			board_put(blocks[i], size);
	}
}

static void phases(const struct run *run)
{
	size_t bytes = run->operations << 20;
	void **blocks = board_table(bytes / 24 * sizeof(*blocks));

	for (size_t i = 0; i < NR_PHASES; i++) {
		size_t size = 24 + i * 37;

		phase(size, bytes / size, blocks);
	}
	board_rest("work");
}

LOAD(phases) = {
	.name = "phases",
	.about = "30 of other sizes each, 2 % of each phase stay",
	.operations = 48, .run = phases
};

/* ---- drift ---- */

static void drift(const struct run *run)
{
	struct worker worker = load_worker(run, 0);
	size_t nr = (run->operations << 20) / 735;
	struct block *blocks = board_table(nr * sizeof(*blocks));

	for (size_t i = 0; i < NR_DRIFTS; i++) {
		for (size_t j = 0; j < nr; j++)
			block_renew(&blocks[load_below(&worker, nr)],
				    50 + i * 60 + load_below(&worker, 50));
	}
	board_mark("work");
	for (size_t i = 0; i < nr; i++) {
		if (load_below(&worker, 10))
			block_drop(&blocks[i]);
	}
	board_rest("shrink");
}

LOAD(drift) = {
	.name = "drift",
	.about = "a cache whose sizes grow; nine of ten go at the end",
	.operations = 128, .run = drift
};
