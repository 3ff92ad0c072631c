/* layer 7.4: reason: why memory does not go back, with sizes */
#ifndef LANE_COMMAND_REASON_H
#define LANE_COMMAND_REASON_H

#include "command/heap.h"

#define REASONS_MOST 6

struct reason {
	uint64_t size;
	char text[200];
};

/* The largest first; how many. */
unsigned reasons_of(const struct heap *heap, struct reason out[REASONS_MOST]);

#endif
