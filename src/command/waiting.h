/* layer 7.3: waiting: small freed blocks that wait in rings of their CPU's */
#ifndef LANE_COMMAND_WAITING_H
#define LANE_COMMAND_WAITING_H

#include "command/walk.h"

/* Returns the bytes of those that no slab has yet. Their classes' sizes are
 * known. A ring that is being emptied counts as if it were. */
uint64_t waiting_size(struct walk *walk);

#endif
