/* layer 1.3: draw: numbers that nobody can guess
 *
 * One seed of the kernel's for the process, and a counter. Who needs several
 * numbers begins once, by one addition that all share, and draws the rest from
 * what he has in hand. A fork's child goes on where its parent was: both draw
 * the same then, as their heaps are the same. Wait-free; a thread that dies
 * here leaves nothing but a step of the counter.
 */
#ifndef LANE_DRAW_H
#define LANE_DRAW_H

#include "base/bits.h"

struct draw {
	uint64_t state, step;
};

struct draw draw_begin(void);

/* Returns a number below n; n != 0. */
static inline uint32_t draw_below(struct draw *d, uint32_t n)
{
	d->state += d->step;
	return (uint32_t)((bits_scramble(d->state) >> 32) * n >> 32);
}

#endif
