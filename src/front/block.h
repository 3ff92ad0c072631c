/* layer 5.2: block: what a pointer of the program points at
 *
 * block_find() is the one place that judges a pointer: foreign, a small
 * object, a large block, or misuse, which is a fault() with a message that
 * begins with `verb`, the call that the program made.
 */
#ifndef LANE_BLOCK_H
#define LANE_BLOCK_H

#include "pageheap/region.h"
#include "slab/size_class.h"

enum block_kind { BLOCK_FOREIGN, BLOCK_SMALL, BLOCK_LARGE };

struct block {
	enum block_kind kind;
	unsigned class;		/* of a small one */
	struct region *region;	/* of a large one */
	uint32_t unit;		/* of a large one */
	uint32_t nr_units;	/* of a large one */
	size_t size;		/* bytes behind the pointer, footer included */
};

void block_find(const void *pointer, const char *verb, struct block *block);

/* With config.usable = requested each block ends in a footer that holds the
 * size asked for. */
size_t block_footer_size(void);
void block_footer_set(void *pointer, const struct block *block, size_t size);
size_t block_usable_size(const void *pointer, const struct block *block);

#endif
