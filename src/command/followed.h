/* layer 7.4: followed: what the blocks that a profile follows waste and pin
 *
 * A block wastes what its class has more than it asked for. It pins the slab in
 * which it would lie without the profile if nothing else does, as the library
 * itself tells it (sample/pinned.h), by the slabs as they are seen from
 * outside. Each block stands for as many as its size says.
 */
#ifndef LANE_COMMAND_FOLLOWED_H
#define LANE_COMMAND_FOLLOWED_H

#include "command/profile.h"

/* Adds the sums to the stacks' values. keys: where the table is, and how many
 * entries it has. False: image->error says why. */
bool followed_read(struct image *image, const struct root *root, uint64_t keys,
		   uint64_t nr_keys, struct profile *profile);

#endif
