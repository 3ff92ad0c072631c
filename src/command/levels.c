/* layer 7.4: levels: tables that grow by levels; contract in levels.h */
#include "command/levels.h"

#include <stdlib.h>

#define LEVEL_LEAST 512u /* entries of the first level */
#define ENTRIES_MOST ((uint64_t)1 << 28)

bool levels_read(struct image *image, uint64_t address, uint64_t nr_entries,
		 size_t size, level_note *note, void *context)
{
	uint64_t first = 0, nr = LEVEL_LEAST;
	bool more = true;

	for (; more && first + nr <= nr_entries && first < ENTRIES_MOST;
	     first += nr, nr *= 2) {
		struct piece piece = { address + first * size, nr * size };
		char *entries = malloc(piece.size);

		if (!entries)
			return false;
		if (!image_read_pieces(image, &piece, 1, entries))
			more = false;
		else
			more = note(context, entries, first, nr);
		free(entries);
	}
	return true;
}
