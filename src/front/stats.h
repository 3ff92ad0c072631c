/* layer 5.10: stats: what lanemalloc_stats() tells, of all layers */
#ifndef LANE_STATS_H
#define LANE_STATS_H

#include "base/compiler.h"
#include "lanemalloc.h"

/* Gathers all numbers, as of now. */
void stats_gather(struct lanemalloc_stats *out);

/* Returns the mode's name; *why, where why is not NULL, becomes the reason.
 * Both live for ever. */
const char *stats_mode(const char **why);

#endif
