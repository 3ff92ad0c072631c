/* layer 5.2: block: misuse ends here; footers and fills
 *
 * block_find() asks the page map (page_map.h) and ends the program where the
 * answer is misuse: a fault() with a message that begins with `verb`, the call
 * that the program made.
 *
 * With usable=requested or checks=full each block ends in a footer: eight
 * bytes that hold the size asked for, mixed with the block's address, so that
 * what the program writes over it reads as no size that the block can have.
 * The first bytes between the size and the footer are filled. Blocks made
 * before the options are known have one, too, so that all have it that may
 * meet an option that looks for it.
 *
 *	block.size = size asked for + slack + footer
 *
 * With checks=full a small block is filled when it is freed, as far as the
 * page that it begins in, which slab_purge() takes whole. The words of the fill
 * follow from the address and from the slab's life, so that none that the
 * memory holds from another life is taken for one of this life. On its way out
 * either no word is the fill (fresh memory, or a purged page) or all are: some
 * means that the program wrote there after the free.
 *
 * All of it happens in the hands of who holds the block; a thread that dies
 * here loses it. Everything is wait-free but block_find_live(), which is
 * bounded by the lanes there are.
 */
#ifndef LANE_BLOCK_H
#define LANE_BLOCK_H

#include "slab/page_map.h"

/* A block of the program's, as page_map_find() has it: foreign, an object that
 * its slab holds to be live, a run, or a guarded one. With guard_recover=1 what
 * is misused of the latter is one of no bytes and of index BLOCK_LOST. */
#define BLOCK_LOST UINT32_MAX
void block_find(const void *pointer, const char *verb, struct block *block);

/* As block_find(), for one that the program holds to be live: with checks=fast
 * one that waits in a CPU's cache is a fault(), too. Not for the cold half of a
 * free, which has set the mark itself. */
void block_find_live(const void *pointer, const char *verb,
		     struct block *block);

/* Bytes of the footer, 0 where there is none. */
size_t block_footer_size(void);
/* Bytes of this block's footer: guarded ones have none. */
size_t block_footer_of(const struct block *block);
/* Of a block that has a footer. */
void block_footer_set(void *pointer, const struct block *block, size_t size);
/* The size asked for where there is a footer, else the block's own. A footer
 * that is damaged is a fault(), with checks=full also a byte of the slack. */
size_t block_usable_size(const void *pointer, const struct block *block,
			 const char *verb);

/* The holder of a small block fills it, and looks whether it is as it was. */
void block_fill(void *pointer, const struct block *block);
void block_fill_check(const void *pointer, const struct block *block);

#endif
