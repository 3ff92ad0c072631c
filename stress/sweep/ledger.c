/* ledger: every live block carries a pattern and has its bits in a shadow map
 *
 * A shadow bit stands for 8 bytes. It is set after a block arrived and
 * cleared before it leaves, so a bit that is set already proves an overlap,
 * whatever the threads do. Leaves are mapped in advance, for children whose
 * address space is limited.
 */
#include "sweep.h"

#include <string.h>
#include <sys/mman.h>

#define GRANULE_SHIFT 3
#define LEAF_SHIFT 28
#define LEAF_WORDS ((size_t)1 << (LEAF_SHIFT - GRANULE_SHIFT - 6))
#define ADDRESS_BITS 47
#define EDGE 128 /* bytes at both ends that carry the pattern */
#define STRIDE 65536

static _Atomic(_Atomic(uint64_t) *)
	leaves[(size_t)1 << (ADDRESS_BITS - LEAF_SHIFT)];

#define NR_SPARE 48
static _Atomic(uint64_t) *spare;
static _Atomic(uint32_t) nr_spare_used;

static _Atomic(uint64_t) *leaf_map(size_t n)
{
	void *at = mmap(NULL, n * LEAF_WORDS * 8, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		child_fail(CRASHED, "no memory for the shadow map");
	return at;
}

void ledger_start(void)
{
	spare = leaf_map(NR_SPARE);
}

static _Atomic(uint64_t) *leaf_make(_Atomic(_Atomic(uint64_t) *) *slot)
{
	_Atomic(uint64_t) *leaf, *none = NULL;

	uint32_t i = atomic_fetch_add(&nr_spare_used, 1);

	leaf = i < NR_SPARE ? spare + i * LEAF_WORDS : leaf_map(1);
	if (atomic_compare_exchange_strong(slot, &none, leaf))
		return leaf;
	return none; /* another was faster; ours stays, untouched */
}

static _Atomic(uint64_t) *shadow_word(size_t word)
{
	_Atomic(_Atomic(uint64_t) *) *slot = &leaves[word / LEAF_WORDS];
	_Atomic(uint64_t) *leaf = atomic_load(slot);

	if (!leaf)
		leaf = leaf_make(slot);
	return &leaf[word % LEAF_WORDS];
}

/* Sets or clears the bits of [first, last]; false: one was not as it should
 * be. */
static bool shadow_turn(size_t first, size_t last, bool set)
{
	size_t word;

	for (word = first / 64; word <= last / 64; word++) {
		uint64_t mask = ~(uint64_t)0, old;

		if (word == first / 64)
			mask &= ~(uint64_t)0 << first % 64;
		if (word == last / 64)
			mask &= ~(uint64_t)0 >> (63 - last % 64);
		if (set)
			old = atomic_fetch_or(shadow_word(word), mask) & mask;
		else
			old = ~atomic_fetch_and(shadow_word(word), ~mask) &
			      mask;
		if (old)
			return false;
	}
	return true;
}

static void shadow_change(const struct block *b, bool set)
{
	size_t first = (uintptr_t)b->at >> GRANULE_SHIFT;
	size_t last = ((uintptr_t)b->at + b->size - 1) >> GRANULE_SHIFT;

	if (last >> (ADDRESS_BITS - GRANULE_SHIFT) || last < first)
		child_fail(UNSOUND, "a block outside of user space");
	if (!shadow_turn(first, last, set))
		child_fail(UNSOUND,
			   set ? "two blocks overlap" : "a block is not live");
}

static unsigned char pattern(const struct block *b, size_t at)
{
	return (unsigned char)(b->mark * 31 + at * 7 + 1);
}

/* Calls for each byte that carries the pattern. */
#define for_pattern(b, i)                                    \
	for (size_t i = 0; i < (b)->size;                    \
	     i += i < EDGE || i + EDGE >= (b)->size ? 1      \
		  : i + STRIDE < (b)->size - EDGE   ? STRIDE \
						    : (b)->size - EDGE - i)

void ledger_add(struct block *b)
{
	if ((uintptr_t)b->at & 7)
		child_fail(UNSOUND, "a block is not aligned");
	shadow_change(b, true);
	ledger_rewrite(b);
}

void ledger_rewrite(struct block *b)
{
	for_pattern(b, i) b->at[i] = pattern(b, i);
}

void ledger_verify(const struct block *b)
{
	for_pattern(b, i) if (b->at[i] != pattern(b, i))
		child_fail(UNSOUND, "a live block was overwritten");
}

void ledger_remove(struct block *b)
{
	ledger_verify(b);
	shadow_change(b, false);
}
