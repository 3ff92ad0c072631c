/* layer 4.10: leak: the stacks whose blocks were not freed, as lines
 *
 * What a stack holds is the estimate of its samples (chance.h). It may be used
 * still, or be reachable: who calls this at the program's end decides by the
 * bytes. Stacks are those of the profile, read while others may add to them.
 * Only reads; a thread that dies leaves some lines.
 */
#ifndef LANE_LEAK_H
#define LANE_LEAK_H

#include "base/compiler.h"

/* Prints lines on stderr for the stacks that hold `least` bytes or more, the
 * largest LEAK_STACKS of them; returns how many there are. */
#define LEAK_STACKS 10
unsigned leak_report(uint64_t least);

#endif
