/* last: what the last thread does, and how many instructions it may take */
#ifndef LAST_H
#define LAST_H

#include "step.h"

#define NR_THREADS_MOST 256

struct kind {
	const char *name;
	uint64_t most; /* instructions of one call; docs/steps.md says why */
	/* One call, stepped, of blocks between two sizes; false: there was
	 * nothing to do. */
	bool (*run)(struct worker *self, size_t from, size_t to);
	size_t from, to;
	bool of_others; /* needs threads that were stopped */
};
/* What a tick may add, to any kind. */
#define TICK_MOST 400000
extern const struct kind kinds[]; /* up to one without a name */
#define NR_KINDS_MOST 24

/* The threads that are stopped: their blocks may be freed by others. */
extern struct worker many[NR_THREADS_MOST];
extern unsigned nr_many;

#endif
