/* blocks: blocks with their sizes, for loads that keep sets of them */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "load.h"

/* A block that is held; without one, at is NULL. */
struct block {
	void *at;
	size_t size;
};

static inline void block_get(const struct run *run, struct block *block,
			     size_t size)
{
	block->at = load_get(run, size);
	block->size = size;
}

/* Does nothing without a block. */
static inline void block_put(const struct run *run, struct block *block)
{
	if (block->at)
		load_put(run, block->at, block->size);
	block->at = NULL;
}

static inline void block_renew(const struct run *run, struct block *block,
			       size_t size)
{
	block_put(run, block);
	block_get(run, block, size);
}

static inline void blocks_put(const struct run *run, struct block *blocks,
			      size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		block_put(run, &blocks[i]);
}

#endif
