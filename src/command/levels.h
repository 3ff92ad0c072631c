/* layer 7.4: levels: tables that grow by levels, as the sampler has them
 *
 * sample/levels.h says how long they are. Read level by level, so that a table
 * of few entries costs little.
 */
#ifndef LANE_COMMAND_COMMAND_LEVELS_H
#define LANE_COMMAND_COMMAND_LEVELS_H

#include "command/image.h"

/* Of the entries first .. first + nr; false: no further level is wanted. */
typedef bool level_note(void *context, const void *entries, uint64_t first,
			uint64_t nr);

/* Calls note for each level of a table of so many entries of `size` bytes,
 * until note or the reading says no. False: no memory. */
bool levels_read(struct image *image, uint64_t address, uint64_t nr_entries,
		 size_t size, level_note *note, void *context);

#endif
