/* boxes: blocks that one worker hands to another, who frees them
 *
 * Each worker has a box with one place. A box that is full or in use is passed
 * by, so that nobody waits.
 */
#ifndef BOXES_H
#define BOXES_H

#include "loads/sized.h"

#include <stdatomic.h>

enum box_state { BOX_EMPTY, BOX_IN_USE, BOX_FULL };

/* sized: of whoever has made the state BOX_IN_USE. */
struct box {
	_Alignas(128) _Atomic(enum box_state) state;
	struct sized sized;
};

static inline bool box_claim(struct box *box, enum box_state from)
{
	return atomic_load_explicit(&box->state, memory_order_relaxed) ==
			from &&
		atomic_compare_exchange_strong(&box->state, &from, BOX_IN_USE);
}

/* Into the box of some other worker; false: it was not empty. */
static inline bool boxes_put(struct worker *worker, struct box *boxes,
			     const struct sized *sized)
{
	unsigned threads = worker->run->threads;
	size_t to = (worker->index + 1 + load_below(worker, threads)) % threads;

	if (to == worker->index || !box_claim(&boxes[to], BOX_EMPTY))
		return false;
	boxes[to].sized = *sized;
	atomic_store(&boxes[to].state, BOX_FULL);
	return true;
}

/* What lies in the worker's own box; false: nothing. */
static inline bool boxes_take(struct worker *worker, struct box *boxes,
			      struct sized *sized)
{
	struct box *box = &boxes[worker->index];

	if (!box_claim(box, BOX_FULL))
		return false;
	*sized = box->sized;
	atomic_store(&box->state, BOX_EMPTY);
	return true;
}

/* When all workers have ended. */
static inline void boxes_empty(const struct run *run, struct box *boxes)
{
	for (unsigned i = 0; i < run->threads; i++) {
		if (atomic_load(&boxes[i].state) == BOX_FULL)
			sized_drop(run, &boxes[i].sized);
	}
}

#endif
