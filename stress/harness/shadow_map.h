/* shadow_map: which parts of the address space are live
 *
 * A bit stands for 8 bytes. It is set after a block arrived and cleared before
 * the block leaves; so at every instant, also in a fork's child, the bits are
 * a subset of what the program owns, and one that is set already proves an
 * overlap, whatever the threads do. A second bit says that a block starts
 * there, for messages. Setting and clearing are single atomic operations on
 * words: handlers, forks and other threads may come between them.
 *
 * Whoever includes this has shadow_map_leaves(n): so many leaves in a row, of
 * zeros, from the kernel.
 */
#ifndef HARNESS_SHADOW_MAP_H
#define HARNESS_SHADOW_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GRANULE_SHIFT = 3,
	LEAF_SHIFT = 28,
	LEAF_WORDS = 1 << (LEAF_SHIFT - GRANULE_SHIFT - 6),
	ADDRESS_BITS = 48,
};

struct leaf {
	_Atomic(uint64_t) live[LEAF_WORDS];
	_Atomic(uint64_t) start[LEAF_WORDS];
};

static struct leaf *shadow_map_leaves(size_t n);

static _Atomic(struct leaf *) shadow[(size_t)1 << (ADDRESS_BITS - LEAF_SHIFT)];

/* Leaves made in advance, for programs that use up their address space. */
static struct {
	struct leaf *leaves;
	size_t nr;
	_Atomic(size_t) nr_used;
} shadow_spare;

static inline void shadow_reserve(size_t n)
{
	shadow_spare.leaves = shadow_map_leaves(n);
	shadow_spare.nr = n;
}

static inline struct leaf *leaf_make(void)
{
	size_t i = atomic_fetch_add(&shadow_spare.nr_used, 1);

	return i < shadow_spare.nr ? &shadow_spare.leaves[i]
				   : shadow_map_leaves(1);
}

/* The leaf that holds word w of the shadow. A racing loser's leaf stays
 * mapped, untouched. */
static inline struct leaf *leaf_of(size_t w)
{
	_Atomic(struct leaf *) *slot = &shadow[w / LEAF_WORDS];
	struct leaf *leaf = atomic_load(slot), *fresh;

	if (leaf)
		return leaf;
	fresh = leaf_make();
	return atomic_compare_exchange_strong(slot, &leaf, fresh) ? fresh
								  : leaf;
}

static inline _Atomic(uint64_t) *shadow_live(size_t w)
{
	return &leaf_of(w)->live[w % LEAF_WORDS];
}

static inline _Atomic(uint64_t) *shadow_start(size_t w)
{
	return &leaf_of(w)->start[w % LEAF_WORDS];
}

/* Granules, both inclusive; a block of size 0 still owns its address. */
struct granules {
	size_t first, last;
};

/* Bits of a pointer that are no address: with hardened=1 memory tagging's. */
#ifdef __aarch64__
#define ADDRESS_COLOUR ((uintptr_t)15 << 56)
#else
#define ADDRESS_COLOUR ((uintptr_t)0)
#endif

static inline struct granules granules_of(const void *at, size_t size)
{
	uintptr_t from = (uintptr_t)at & ~ADDRESS_COLOUR;

	return (struct granules){
		from >> GRANULE_SHIFT,
		(from + (size ? size : 1) - 1) >> GRANULE_SHIFT,
	};
}

static inline bool granules_are_users(struct granules g)
{
	return g.first <= g.last && !(g.last >> (ADDRESS_BITS - GRANULE_SHIFT));
}

static inline uint64_t word_mask(size_t w, struct granules g)
{
	uint64_t mask = ~(uint64_t)0;

	if (w == g.first / 64)
		mask &= ~(uint64_t)0 << g.first % 64;
	if (w == g.last / 64)
		mask &= ~(uint64_t)0 >> (63 - g.last % 64);
	return mask;
}

/* Sets or clears all bits; the first granule that is not as it should be, or
 * SIZE_MAX. */
static inline size_t shadow_turn(struct granules g, bool set)
{
	uint64_t mask, wrong;
	size_t w;

	for (w = g.first / 64; w <= g.last / 64; w++) {
		mask = word_mask(w, g);
		wrong = set ? atomic_fetch_or(shadow_live(w), mask)
			    : ~atomic_fetch_and(shadow_live(w), ~mask);
		if (wrong & mask)
			return w * 64 + (size_t)__builtin_ctzll(wrong & mask);
	}
	return SIZE_MAX;
}

#endif
