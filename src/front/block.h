/* layer 5.3: block: what the program gives back, as found or told of
 *
 * block_find() asks the page map (page_map.h) and ends the program where the
 * answer is misuse: a fault() with a message that begins with `verb`, the call
 * that the program made.
 *
 * With footers (footer.h) the size asked for is known, and what was written
 * behind it is seen.
 *
 * Nothing is written here, so a thread that dies leaves nothing. Everything is
 * wait-free but block_find_live(), which is bounded by the lanes there are.
 */
#ifndef LANE_BLOCK_H
#define LANE_BLOCK_H

#include "front/footer.h"

/* Finds a block of the program's, as page_map_find() has it: foreign, an object
 * that its slab holds to be live, a run, or a guarded one. With guard_recover=1
 * a guarded one that is misused has no bytes and the index BLOCK_LOST. */
#define BLOCK_LOST UINT32_MAX
void block_find(const void *pointer, const char *verb, struct block *block);

/* With checks=fast or hardened=1: whether a block that has a freed one's mark
 * waits in the cache of a CPU or in the quarantine. */
bool block_waits(const void *pointer, const struct block *block);

/* Finds a block that the program holds to be live: with checks=fast or
 * hardened=1 one that waits so is a fault(), too. The cold half of a free has
 * set the mark itself, and asks block_find(). */
void block_find_live(const void *pointer, const char *verb,
		     struct block *block);

/* Checks, with checks=full, that the block was made by a call of that form, as
 * far as that is known, else fault(). Of one that is not live others tell. */
void block_form_check(const void *pointer, const struct block *block,
		      enum block_form form, const char *verb);

/* Returns the size asked for where there is a footer, else the block's own. A
 * footer that is damaged is a fault(), with checks=full and hardened=1 also a
 * byte of the slack. */
size_t block_usable_size(const void *pointer, const struct block *block,
			 const char *verb);

/* Checks with checks=full a block that is handed out, or leaves the quarantine:
 * one that is not as it was when it was freed is a fault(). */
void block_reuse_check(const void *pointer, const struct block *block,
		       const char *verb);

#endif
