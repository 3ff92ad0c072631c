/* layer 5.8: threads: what the heap does where a program begins to have some
 *
 * Each step is one that any thread may take again, or is taken by one of them:
 * the kernel's check by an exchange, the helper's birth by a CAS (helper.h).
 * Who dies in the middle leaves the rest to the next call; one that dies in the
 * check leaves the kernel untested, and taken for a sound one.
 */
#ifndef LANE_FRONT_THREADS_H
#define LANE_FRONT_THREADS_H

/* Checks the kernel and gives birth to a helper, as the program may now have
 * threads. Called where a thread is about to be created, never from an
 * allocation. */
void heap_threads_start(void);

#endif
