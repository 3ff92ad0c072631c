/* boxes: blocks that one worker hands to another, who frees them
 *
 * Each worker has a box with one place. A box that is full or in use is passed
 * by, so that nobody waits.
 */
#ifndef BOXES_H
#define BOXES_H

#include "loads/blocks.h"

#include <stdatomic.h>

#define BOXES_LIVE 512

enum box_state { BOX_EMPTY, BOX_IN_USE, BOX_FULL };

/* block: of whoever has made the state BOX_IN_USE. */
struct box {
	_Alignas(128) _Atomic(enum box_state) state;
	struct block block;
};

static inline bool box_claim(struct box *box, enum box_state from)
{
	return atomic_load_explicit(&box->state, memory_order_relaxed) ==
			from &&
		atomic_compare_exchange_strong(&box->state, &from, BOX_IN_USE);
}

/* Into the box of some other worker; false: it was not empty. */
static inline bool boxes_put(struct worker *worker, struct box *boxes,
			     const struct block *block)
{
	unsigned threads = worker->run->threads;
	size_t to = (worker->index + 1 + load_below(worker, threads)) % threads;

	if (to == worker->index || !box_claim(&boxes[to], BOX_EMPTY))
		return false;
	boxes[to].block = *block;
	atomic_store(&boxes[to].state, BOX_FULL);
	return true;
}

/* What lies in the worker's own box; false: nothing. */
static inline bool boxes_take(struct worker *worker, struct box *boxes,
			      struct block *block)
{
	struct box *box = &boxes[worker->index];

	if (!box_claim(box, BOX_FULL))
		return false;
	*block = box->block;
	atomic_store(&box->state, BOX_EMPTY);
	return true;
}

/* A load times these calls, and notes them in a book of its own. */
struct book;
typedef void boxes_call(struct worker *worker, struct book *book,
			struct block *block);

static inline size_t boxes_size(struct worker *worker)
{
	return load_below(worker, 100) ?
		load_skewed(worker, 16, 8 << 10) :
		load_skewed(worker, 8 << 10, 256 << 10);
}

/* Blocks of a live set are replaced; every eighth that goes is handed over. */
static inline void boxes_work(struct worker *worker, struct box *boxes,
			      struct book *book, struct block *live,
			      boxes_call *get, boxes_call *put)
{
	struct block handed;

	for (unsigned long i = 0; i < worker->operations; i++) {
		struct block *block = &live[load_below(worker, BOXES_LIVE)];

		if (boxes_take(worker, boxes, &handed))
			put(worker, book, &handed);
		if (block->at && (i % 8 || !boxes_put(worker, boxes, block)))
			put(worker, book, block);
		get(worker, book, block);
	}
	for (unsigned i = 0; i < BOXES_LIVE; i++) {
		if (live[i].at)
			put(worker, book, &live[i]);
	}
}

/* When all workers have ended. */
static inline void boxes_empty(const struct run *run, struct box *boxes)
{
	for (unsigned i = 0; i < run->threads; i++) {
		if (atomic_load(&boxes[i].state) == BOX_FULL)
			block_put(run, &boxes[i].block);
	}
}

#endif
