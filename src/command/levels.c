/* layer 7.4: levels: tables that grow by levels; contract in levels.h */
#include "command/levels.h"

#include <stdlib.h>

#include "sample/levels.h"

bool levels_read(struct image *image, uint64_t address, uint64_t nr_entries,
		 size_t size, level_note *note, void *context)
{
	unsigned level, nr_levels = levels_within(nr_entries);
	bool more = true;

	for (level = 0; more && level < nr_levels; level++) {
		uint64_t first = levels_entries(level);
		uint64_t nr = levels_entries(level + 1) - first;
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
