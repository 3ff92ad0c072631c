/* layer 2.8: guard_page: an inaccessible page at the end of a unit
 *
 * A large block may end in a page that faults when it is touched, so that
 * writing past the block ends the program there instead of changing its
 * neighbour. Bit u of a hugepage's guard word: the last page of unit u is
 * inaccessible. Only who holds the unit sets or clears the bit and the page;
 * the bit outlives a release, and whoever takes units next makes them whole
 * again (guard_page_clear) or keeps the page for a block that ends there as
 * well.
 *
 *	set	the kernel's call, then the bit
 *	clear	the kernel's call, then the bit
 *
 * A thread that dies between the two, in set, strands the units that it holds
 * anyway; in clear it leaves a bit without a page, which costs one call.
 *
 * The rule (config.large_guard = auto): a block that is larger than
 * MEDIUM_SIZE_MOST gets such a page where it costs no memory, that is where
 * the last unit has a page that the block does not need; and no time to speak
 * of, that is where the memory is fresh, so that the call is small beside the
 * page faults to come, or where a guard stands at that place already. It needs
 * MADV_GUARD_INSTALL (Linux 6.13), which splits no mapping. With `all` every
 * such block gets one, with a unit more where needed, by mprotect where the
 * kernel knows no other way. Memory that is locked has none by `auto`.
 */
#ifndef LANE_GUARD_PAGE_H
#define LANE_GUARD_PAGE_H

#include "pageheap/region.h"

/* Makes held units accessible to the last byte; false: the kernel refuses. */
bool guard_page_clear(struct region *region, uint32_t unit, uint32_t n);

/* Whether the last page of a held unit is inaccessible. */
static inline bool guard_page_is_set(const struct region *region, uint32_t unit)
{
	// held
	return load_relaxed(&region->guards[unit / HUGEPAGE_UNITS]) &
	       bits_one(unit % HUGEPAGE_UNITS);
}

/* Makes the last page of a held unit inaccessible; false: it is not. */
bool guard_page_set(struct region *region, uint32_t unit);

/* Returns the bytes at the end of a held unit that are inaccessible. */
size_t guard_page_size(const struct region *region, uint32_t unit);

#endif
