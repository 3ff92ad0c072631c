/* layer 4.5: chance: which allocations are sampled, and what one stands for
 *
 * Bytes are drawn with distances of `interval` on the average, distributed as
 * if each byte were drawn alone with the same chance (exponentially): no
 * pattern of the program's falls in step with it, and a distance may be drawn
 * anew at any time without a bias. A block of `size` bytes is sampled if one of
 * its bytes is drawn: with the chance
 *
 *	p = 1 - exp(-size / interval)
 *
 * and stands for 1 / p blocks of its kind. An interval of 1 means every block,
 * each standing for itself.
 *
 * Pure arithmetic of our own, as libm is not there. It raises no exception of
 * floating point but "inexact".
 */
#ifndef LANE_CHANCE_H
#define LANE_CHANCE_H

#include "base/compiler.h"

/* Weights are in 2^-CHANCE_SHIFT blocks. */
#define CHANCE_SHIFT 16

/* Draws the distance to the next byte, from 64 random bits. */
uint64_t chance_distance(uint64_t random, uint64_t interval);

/* Says what a block stands for. */
uint64_t chance_weight(uint64_t size, uint64_t interval);

#endif
