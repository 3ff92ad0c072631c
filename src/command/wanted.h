/* layer 7.5: wanted: processes whose profile is to stay on
 *
 * A process is known by its id and by when it was started, so that another one
 * that has the id later is left alone. One thread may note some while another
 * goes through them. Those that have ended are forgotten when all are gone
 * through, and when there is no room.
 */
#ifndef LANE_COMMAND_WANTED_H
#define LANE_COMMAND_WANTED_H

#include "command/toggle.h"

#define WANTED_MOST 256

/* Notes the process, once. False: there is no room, which image->error says. */
bool wanted_note(struct image *image);

/* Does so for each of them. */
typedef void toggling(struct image *image, const struct root *root);
void wanted_toggle(toggling *toggling);

#endif
