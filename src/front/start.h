/* layer 5.4: start: making the heap ready; the gate for vfork and profile
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
#include "sample/sampler.h"

/* Makes the heap ready; whatever may be the first call of all does so itself:
 * an allocation's cold half, but no free's and no realloc's, which have a
 * block. False: no memory. Lock-free, idempotent. */
bool heap_start(void);

/* Closes and opens the fast paths' gate for a while: nested calls count. While
 * closed every call takes the direct path. */
void heap_gate_close(void);
void heap_gate_open(void);

/* Opens it where a sandbox that did not come to be kept it closed. */
void heap_gate_settle(void);

/* Around the life of a child that runs in this thread's place, on its memory
 * and thread pointer: the gate is closed, and what the child forbids itself
 * ends with it. In the thread that sleeps meanwhile. */
void heap_vfork_begin(void);
void heap_vfork_end(void);

/* Turns the profile on and off (sample/sampler.h). False: no memory for it. On
 * kernels without a fence the direct path serves from then on. */
bool heap_profile_start(enum sample_user user);
void heap_profile_stop(enum sample_user user);

#endif
