/* layer 5.3: large: blocks that are runs of the page heap
 *
 * A large block is a run whose first unit's tag says CLASS_LARGE and whose
 * span says how many units it has. The block's holder owns tag and span; the
 * tag is zero again before the units go back. Of two threads that free the
 * same block one gets the length out of the span, the other a fault().
 */
#ifndef LANE_LARGE_H
#define LANE_LARGE_H

#include "front/block.h"

/* size > 0, align a power of two. *zero: all bytes read as zero. NULL: no
 * memory. */
void *large_alloc(size_t size, size_t align, bool *zero);

void large_free(void *pointer, const struct block *block);

/* Makes the block large enough for size bytes in place, or smaller where that
 * frees units; *block says how large it is then. False: it stays as it was. */
bool large_resize(struct block *block, size_t size);

/* Moves the first size bytes from one large block to another: by page tables
 * where that pays and the kernel can. */
void large_move(void *to, void *from, size_t size);

#endif
