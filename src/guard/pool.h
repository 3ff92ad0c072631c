/* layer 4.12: pool: blocks each on a page of its own, between inaccessible ones
 *
 *	unit | page | slot 0 | page | slot 1 | page | ... | slot n-1 | page |
 *
 * With guard=N one in N sampled allocations, if it fits a page, gets a slot:
 * the odd ones end with it, as far as alignment allows, the even ones begin
 * with it. What the block leaves of the page is filled and looked at when it
 * is freed. A slot that no block has is inaccessible. A block goes to the slot
 * that is free for the longest time, so that a use after free faults as long as
 * can be; where all slots are taken there is no guarded block.
 *
 * The pool is a run of the page heap's, made once, whose entries in the page
 * map say BLOCK_GUARDED: no fast path takes such a block, and no other free
 * pays for it. A child of a fork has its parent's blocks and goes on; a slot
 * that another thread held at the fork is lost there.
 *
 * Racing starts: each makes a pool, one CAS decides, the others undo theirs. A
 * thread that dies there strands its run. Allocation and free make one system
 * call each (two more with mprotect, where MADV_GUARD_INSTALL is not known);
 * everything else is wait-free and bounded by the number of slots. All works in
 * signal handlers and touches no errno.
 */
#ifndef LANE_POOL_H
#define LANE_POOL_H

#include "guard/slot.h"
#include "slab/page_map.h"

struct pool {
	char *base;  /* const: the first page, inaccessible */
	size_t page; /* const */
	size_t size; /* const: pages that count */
	uint32_t nr; /* const: slots */
	bool split;  /* const: by mprotect */
	struct slot slots[];
};

extern _Atomic(uint64_t) pool_made internal; /* atomic: the pool's address */

/* Makes the pool, where guard=N is set. False: no memory. */
bool guarded_start(void);

bool guarded_is_on(void);

/* Draws whether the next sampled allocation is to be guarded. */
bool guarded_draw(void);

/* Allocates a block of zeros; NULL: it does not fit, or no slot is free. */
void *guarded_alloc(size_t size, size_t align, uint32_t stack);

/* Whether a block that the page map calls guarded begins there and is live: its
 * index and size. Exact for its holder. */
bool guarded_find(const void *pointer, struct block *block);

/* Finds the first byte beside the block that is not as it was filled; NULL: all
 * are. */
const void *guarded_damage(const struct block *block);

/* Makes a block smaller where it is: of what it loses nothing stays. */
void guarded_shrink(const struct block *block, size_t size);

/* Frees a block; false: another free of it comes first. */
bool guarded_free(const struct block *block, uint32_t stack);

/* Adds up the bytes of live blocks, as of a moment. */
uint64_t guarded_live_size(void);

/* For reports. */

/* Finds the slot that an address in the pool is most likely meant to belong to;
 * NULL: it is not in the pool. */
struct slot *guarded_slot_near(uintptr_t at);

/* Returns slot i, from 0 on; NULL: there are no more. */
struct slot *guarded_slot(uint32_t i);

/* Finds such a byte beside a live block that another thread may free meanwhile:
 * then NULL. Reads through the kernel, behind a filter by /proc/self/mem; where
 * that is not allowed NULL, too. */
const void *guarded_look(struct slot *slot, struct slot_story *story);

/* Makes the page at an address in the pool accessible for good. */
bool guarded_expose(uintptr_t at);

#endif
