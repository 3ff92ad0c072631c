/* layer 4.14: sweep: what was written beside live guarded blocks
 *
 * Bounded by the pool. Other threads go on meanwhile: a block that is freed or
 * made while it is looked at is left out (pool.h). A thread that dies here
 * leaves nothing.
 */
#ifndef LANE_SWEEP_H
#define LANE_SWEEP_H

#include "base/compiler.h"

/* Tells of the first damaged block, and ends the program; with guard_recover=1
 * of all. Returns how many there are. */
unsigned sweep_guarded(const char *verb);

#endif
