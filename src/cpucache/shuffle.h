/* layer 4.2: shuffle: objects in an order that nobody can guess
 *
 * With hardened=1 a batch that is taken out of a slab is shuffled before it
 * comes into a lane, so that where the next object lies does not follow from
 * where the last one did. The numbers are draw.h's. In the hands of who holds
 * the batch. Wait-free.
 */
#ifndef LANE_SHUFFLE_H
#define LANE_SHUFFLE_H

#include "base/compiler.h"

/* Puts the objects into another order. */
void shuffle(void **objects, unsigned n);

#endif
