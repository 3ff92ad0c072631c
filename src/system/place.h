/* layer 1.5: place: where the library's memory lies
 *
 * Nothing is reserved. Address space that is not mapped is counted by nobody:
 * not by RLIMIT_AS, mlockall or overcommit, not in a core, not in VSZ. So the
 * library chooses two ranges far from where the kernel puts the mappings of
 * others, and maps in them what it needs, when it needs it:
 *
 *	PLACE_DATA	the program's blocks
 *	PLACE_META	all that malloc trusts: regions' heads, spans, tags,
 *			bits, level words, words of hugepage_node.h; lanes,
 *			bins; the helper's stack; the profile's tables, the
 *			quarantine's rings, shared and of each id, records of
 *			guarded blocks, the page of who.h; buffers for the time
 *			of one call
 *
 * With T the lowest power of two above the stack (2^47 on x86-64), data lie in
 * [T/2, 5T/8), metadata in [5T/8, 21T/32): above the random hints of runtimes
 * that like addresses of their own (46 bits), below programs (2T/3 on) and
 * libraries. Each range begins at a random place in the lower half of that:
 * with T = 2^47 at one of 2^22 hugepages for data and of 2^29 pages for
 * metadata. Both are drawn apart, so that a block's address tells nothing of
 * the metadata's. Between two places of metadata lies a gap that is never
 * mapped: a wall without a mapping. Where the process asked for addresses
 * without randomness (a debugger does), the ranges begin at their first one.
 *
 * A place is taken by one addition and never twice, so that nobody else of
 * the library maps there. Somebody else of the process may, by chance:
 * mapping at a place says so and replaces nothing.
 *
 * State: a word per range, where its next place begins; 0 while the range is
 * not chosen. Racing threads choose one each, a CAS decides. A thread that
 * dies strands the addresses of its place. All functions are lock-free.
 */
#ifndef LANE_PLACE_H
#define LANE_PLACE_H

#include "base/compiler.h"

enum place { PLACE_DATA, PLACE_META, NR_PLACES };

/* At least so much stays unmapped between two places. */
#define PLACE_GAP ((size_t)64 << 10)

/* Takes addresses for the caller alone, at a multiple of align (a power of two
 * of at least a page). NULL: the range is used up, or nothing can be mapped. */
char *place_take(enum place place, size_t size, size_t align);

/* Gives back what the caller took last, and has not mapped; without effect
 * where others took meanwhile. */
void place_untake(enum place place, char *addr, size_t size);

/* Returns the bytes that one place may have at most; 0 while nothing can be
 * mapped. */
size_t place_size_most(enum place place);

/* Maps memory at addresses of a place, as system_map_at(); with the option
 * map_names the mapping is named there for whoever reads /proc/PID/maps, unless
 * the program is in a sandbox, whose filter may kill for it. */
int place_map_at(void *addr, size_t size);

/* Maps private zeroed memory in a place of metadata, whole pages. NULL:
 * none. */
void *place_map(size_t size);

#endif
