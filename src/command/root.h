/* layer 7.2: root: the library's view in an image
 *
 * lanemalloc_view is found by its name, in the files that the process has
 * mapped: the library's or, with the archive, the program's. Where no table has
 * the name (a stripped program, a core without the files) the magic text is
 * looked for in the private mappings of files, or in a core's segments. What is
 * found is judged: its version, and each number against what it may be, so that
 * whoever goes on with it need not.
 */
#ifndef LANE_COMMAND_ROOT_H
#define LANE_COMMAND_ROOT_H

#include "command/image.h"
#include "lanemalloc_view.h"

struct root {
	struct lanemalloc_view view;
	uint64_t address; /* in the process */
	char version[32]; /* of the library there */
};

/* False: image->error says that there is no library, or another version. */
bool root_find(struct image *image, struct root *root);

/* A word of 64 or of 32 bits; 0 where it cannot be read. */
uint64_t root_word(struct image *image, uint64_t address);
uint32_t root_half(struct image *image, uint64_t address);

/* Whether the profile is on, for whomever. */
bool root_profile_is_on(struct image *image, const struct root *root);

#endif
