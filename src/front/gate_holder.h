/* layer 5.4: gate holder: who closes the fast paths' gate, and for how long
 *
 * The life of a child that runs in its parent's place, as vfork's; a change of
 * the profile, which decides which of the gate's words opens. What closing and
 * opening are is said in gate.h; where the opener cannot, start.h's next call
 * does. A thread that dies between the two leaves the gate closed: every call
 * takes the direct path. Wait-free, but for the fence and what starting the
 * profile is.
 */
#ifndef LANE_GATE_HOLDER_H
#define LANE_GATE_HOLDER_H

#include "base/compiler.h"
#include "sample/sampler.h"

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
