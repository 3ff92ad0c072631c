/* layer 7.4: toggle: the profile of a process on and off, from outside
 *
 * By the one word that the library has for it (front/outside.h): written by
 * process_vm_writev(), taken by the next slow call of any thread. So it takes
 * as long as the process does without one: of a program that allocates, some
 * milliseconds; of one that sleeps, for ever. A process behind a seccomp filter
 * is left alone, as starting the profile maps memory and the filter may kill
 * for that.
 */
#ifndef LANE_TOGGLE_H
#define LANE_TOGGLE_H

#include "command/root.h"

bool toggle_is_on(struct image *image, const struct root *root);

/* Asks for it. False: image->error says why that is not done. */
bool toggle_ask(struct image *image, const struct root *root, bool on);

/* Waits at most so long until it is done. False: image->error says why, and
 * nothing is asked for any more. */
bool toggle_wait(struct image *image, const struct root *root, bool on,
		 double seconds);

/* Both. */
bool toggle(struct image *image, const struct root *root, bool on,
	    double seconds);

#endif
