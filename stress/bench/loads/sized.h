/* sized: a block and its size, for loads that keep a set of them */
#ifndef SIZED_H
#define SIZED_H

#include "load.h"

struct sized {
	void *block;
	size_t size;
};

static inline void sized_drop(const struct run *run, struct sized *sized)
{
	if (sized->block)
		load_put(run, sized->block, sized->size);
	sized->block = NULL;
}

static inline void sized_renew(const struct run *run, struct sized *sized,
			       size_t size)
{
	sized_drop(run, sized);
	sized->block = load_get(run, size);
	sized->size = size;
}

static inline void sized_drop_all(const struct run *run, struct sized *all,
				  size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		sized_drop(run, &all[i]);
}

#endif
