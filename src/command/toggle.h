/* layer 7.4: toggle: the profile of a process on, from outside
 *
 * By the one word that the library has for it (front/outside.h): written by
 * process_vm_writev(), taken by the next slow call of any thread. So it takes
 * as long as the process does without one: of a program that allocates, some
 * milliseconds; of one that sleeps, for ever. A process behind a seccomp filter
 * is left alone, as starting the profile maps memory and the filter may kill
 * for that.
 *
 * Who wants the profile asks for it for TOGGLE_SECONDS, each TOGGLE_AGAIN
 * seconds anew, and turns nothing off: the process does, when nobody has asked
 * for so long. So of several none ends what another wants, and one that is
 * killed leaves nothing on. Only toggle_off() ends it for all.
 */
#ifndef LANE_COMMAND_TOGGLE_H
#define LANE_COMMAND_TOGGLE_H

#include "command/root.h"

#define TOGGLE_SECONDS 6
#define TOGGLE_AGAIN 2

/* Asks for it, for so long; 0: without an end. False: image->error says why
 * that is not done. */
bool toggle_ask(struct image *image, const struct root *root, unsigned seconds);

/* Waits at most so long until it is on. False: image->error says why, and
 * nothing is asked for any more. */
bool toggle_wait(struct image *image, const struct root *root, double wait);

/* Takes back what the process has not noticed yet: another's too, who asks
 * again. */
void toggle_end(struct image *image, const struct root *root);

/* Leaves it on without an end, and waits until the process has noticed. */
bool toggle_keep(struct image *image, const struct root *root, double wait);

/* Turns it off, whoever wanted it, the program itself too, and waits at most so
 * long until it is. False: image->error says why it is still on. */
bool toggle_off(struct image *image, const struct root *root, double wait);

#endif
