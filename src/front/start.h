/* layer 5.4: start: making the heap ready
 *
 * Start-up has no lock and no owner: every thread that finds the heap not
 * ready runs all of it, and each step stores what any other thread would
 * store, or is decided by one CAS (the region). A thread that dies in the
 * middle leaves the rest to the next call.
 *
 * In IFUNC resolvers' time libc is not relocated: its symbols read as absent.
 * Then only the region is made and calls take the direct path; the next call
 * tries again.
 */
#ifndef LANE_START_H
#define LANE_START_H

#include "base/compiler.h"

/* Makes the heap ready; whatever may be the first call of all does so itself:
 * an allocation's cold half, but no free's and no realloc's, which have a
 * block. False: no memory. Lock-free, idempotent. */
bool heap_start(void);

/* What a move of the gate's word came to: where this thread could not open it
 * the heap is not ready, and the next slow path does. */
void start_gate_moved(bool done);

#endif
