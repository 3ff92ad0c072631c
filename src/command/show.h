/* layer 7.4: show: a heap as text, as JSON and as Prometheus reads it */
#ifndef LANE_COMMAND_SHOW_H
#define LANE_COMMAND_SHOW_H

#include <stdio.h>

#include "command/heap.h"
#include "command/root.h"

void show_text(FILE *out, const struct image *image, const struct root *root,
	       const struct heap *heap);
void show_json(FILE *out, const struct image *image, const struct root *root,
	       const struct heap *heap);

/* Of several processes: the heads of the metrics stand once, so each metric is
 * written for all. */
struct shown {
	const struct image *image;
	const struct root *root;
	const struct heap *heap;
};
void show_prometheus(FILE *out, const struct shown *shown, size_t nr);

/* A slab's share in use by tenths, as ten digits: 0 no slab, 1 to 9 how many
 * of all, by powers of two below the largest. */
void show_fullness(char text[FULLNESS + 1], const struct heap_class *k);

#endif
