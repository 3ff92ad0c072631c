/* fleet: one thread's part of a heap that lives by a profile
 *
 * A stage lasts a span of the profile's time, cut into ticks; each block that
 * will die within it stands in the list of its tick. Within a tick blocks are
 * born first and die then. One death in eight is another thread's: the block
 * is handed to the next part, whose thread frees it.
 */
#ifndef FLEET_H
#define FLEET_H

#include "profile.h"

#include <stdatomic.h>

#define FLEET_TICKS 16384

/* Two profiles at most: 0 the first, 1 the one it is shifted to. */
#define FLEET_PROFILES 2

struct item {
	void *block;
	uint32_t next;		/* in its tick's list or the free one; 0: end */
	uint16_t row;
	uint16_t profile;
};

/* A block that another thread is to free; the size lies in its first bytes. */
struct letter {
	struct letter *next;
	size_t size;
};

struct part {
	struct worker *worker;
	struct profile *profiles[FLEET_PROFILES];
	size_t share;		/* live bytes of this part */
	struct item *items;	/* from 1 */
	uint32_t nr_items, nr_used, free;
	uint32_t *ticks;	/* heads of lists */
	double span;
	_Alignas(128) _Atomic(struct letter *) letters;
	struct part *neighbour;
};

/* What happens within a stage. */
struct stage {
	double span;
	int profile;		/* of the births; -1: none */
	bool comes;		/* its first heap comes in the first 2/5 */
};

void part_make(struct part *part, struct profile *const *profiles,
	       size_t share);

/* The first heap of profile 0: its whole share. */
void part_fill(struct part *part);

/* Begins a stage: each block dies when choose() says, after `span` never. */
void part_plan(struct part *part, double span,
	       double (*choose)(struct part *part, const struct item *item));

void part_run(struct part *part, const struct stage *stage);

/* The ways to die, for part_plan(). */
double die_by_profile(struct part *part, const struct item *item);
double die_early(struct part *part, const struct item *item);
double die_mostly(struct part *part, const struct item *item);

/* All blocks, and the letters that came. */
void part_end(struct part *part);

#endif
