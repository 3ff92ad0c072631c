/* storm_block: the shadow of live ranges, and blocks with both checks; part
 * of storm.h
 */
#ifndef STORM_BLOCK_H
#define STORM_BLOCK_H

/* ---- the shadow: one bit per 8 bytes, in leaves of 256 MiB ---- */

enum {
	GRANULE_SHIFT = 3,
	LEAF_SHIFT = 28,
	LEAF_WORDS = 1 << (LEAF_SHIFT - GRANULE_SHIFT - 6),
	ADDRESS_BITS = 48,
	RESERVE_MOST = 16,
};

struct leaf {
	_Atomic(uint64_t) live[LEAF_WORDS];
	_Atomic(uint64_t) start[LEAF_WORDS];
};

static _Atomic(struct leaf *) shadow[(size_t)1 << (ADDRESS_BITS - LEAF_SHIFT)];
/* Leaves made in advance, for programs that use up their address space. */
static _Atomic(struct leaf *) shadow_spare[RESERVE_MOST];

static inline void shadow_reserve(unsigned n)
{
	unsigned i;

	for (i = 0; i < n && i < RESERVE_MOST; i++) {
		shadow_spare[i] = storm_map(sizeof(struct leaf));
		must(shadow_spare[i]);
	}
}

static inline struct leaf *leaf_make(void)
{
	struct leaf *leaf;
	unsigned i;

	for (i = 0; i < RESERVE_MOST; i++) {
		leaf = atomic_exchange(&shadow_spare[i], NULL);
		if (leaf)
			return leaf;
	}
	leaf = storm_map(sizeof(*leaf));
	must(leaf);
	return leaf;
}

/* The leaf that holds word w of the shadow. A racing loser's leaf stays
 * mapped, untouched. */
static inline struct leaf *leaf_of(size_t w)
{
	_Atomic(struct leaf *) *slot = &shadow[w / LEAF_WORDS];
	struct leaf *leaf = atomic_load(slot);
	struct leaf *fresh;

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

/* A block in the program's hands. at NULL: none. */
struct block {
	void *at;
	size_t size;
	uint64_t owner;
};

static inline size_t granule_first(const struct block *b)
{
	return (uintptr_t)b->at >> GRANULE_SHIFT;
}

/* Inclusive; a block of size 0 still owns its address. */
static inline size_t granule_last(const struct block *b)
{
	size_t size = b->size ? b->size : 1;

	return ((uintptr_t)b->at + size - 1) >> GRANULE_SHIFT;
}

static inline uint64_t word_mask(size_t w, size_t first, size_t last)
{
	uint64_t mask = ~(uint64_t)0;

	if (w == first / 64)
		mask &= ~(uint64_t)0 << first % 64;
	if (w == last / 64)
		mask &= ~(uint64_t)0 >> (63 - last % 64);
	return mask;
}

/* Names the live block that holds granule g, as far as the start bits tell:
 * its owner may not have set the start bit yet. */
_Noreturn static inline void shadow_overlap(const struct block *b, size_t g)
{
	size_t first = g;

	while (first && g - first < (size_t)1 << 24 &&
	       !(atomic_load(shadow_start(first / 64)) >> first % 64 & 1))
		first--;
	storm_fail("overlap: new block %p size %zu owner %llu meets a live "
		   "block at %p, which starts at %p",
		   b->at, b->size, (unsigned long long)b->owner,
		   (void *)(g << GRANULE_SHIFT),
		   (void *)(first << GRANULE_SHIFT));
}

static inline void shadow_mark(const struct block *b)
{
	size_t first = granule_first(b), last = granule_last(b), w;
	uint64_t mask, old;

	if (((uintptr_t)b->at + b->size) >> ADDRESS_BITS)
		storm_fail("block %p size %zu is outside of user space", b->at,
			   b->size);
	for (w = first / 64; w <= last / 64; w++) {
		mask = word_mask(w, first, last);
		old = atomic_fetch_or(shadow_live(w), mask);
		if (old & mask)
			shadow_overlap(b, w * 64 + (size_t)__builtin_ctzll(
							   old & mask));
	}
	atomic_fetch_or(shadow_start(first / 64), (uint64_t)1 << first % 64);
}

static inline void shadow_clear(const struct block *b)
{
	size_t first = granule_first(b), last = granule_last(b), w;
	uint64_t mask, old;

	mask = (uint64_t)1 << first % 64;
	old = atomic_fetch_and(shadow_start(first / 64), ~mask);
	if (!(old & mask))
		storm_fail("block %p size %zu owner %llu is not live", b->at,
			   b->size, (unsigned long long)b->owner);
	for (w = first / 64; w <= last / 64; w++) {
		mask = word_mask(w, first, last);
		old = atomic_fetch_and(shadow_live(w), ~mask);
		if ((old & mask) != mask)
			storm_fail("block %p size %zu owner %llu is live in "
				   "part only",
				   b->at, b->size,
				   (unsigned long long)b->owner);
	}
}

/* ---- the pattern ---- */

static inline uint64_t pattern_first(const struct block *b)
{
	return random_mix((uintptr_t)b->at ^
			  random_mix(b->size ^ random_mix(b->owner + 1)));
}

static inline void pattern_fill(const struct block *b)
{
	uint64_t word = pattern_first(b);
	char *at = b->at;
	size_t i;

	for (i = 0; i + 8 <= b->size; i += 8, word += RANDOM_STEP)
		memcpy(at + i, &word, 8);
	memcpy(at + i, &word, b->size - i);
}

/* The first n bytes at `at` are those that b was filled with. */
static inline void pattern_verify(const struct block *b, const char *at,
				  size_t n)
{
	uint64_t word = pattern_first(b), found = 0;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8, word += RANDOM_STEP) {
		memcpy(&found, at + i, 8);
		if (found != word)
			break;
	}
	if (i + 8 > n && !memcmp(at + i, &word, n - i))
		return;
	storm_fail("damaged: block %p size %zu owner %llu (now at %p), offset "
		   "%zu of %zu: word %016llx, expected %016llx",
		   b->at, b->size, (unsigned long long)b->owner, at, i, n,
		   (unsigned long long)found, (unsigned long long)word);
}

/* ---- allocation functions with both checks ----
 *
 * Those that allocate return false for "no memory"; block_realloc() then
 * leaves the block as it was.
 */

static inline bool block_adopt(struct block *b, void *at, size_t size,
			       uint64_t owner)
{
	b->at = at;
	if (!at)
		return false;
	b->size = size;
	b->owner = owner;
	shadow_mark(b);
	pattern_fill(b);
	return true;
}

/* The block is whole; the program has no right to it from here on. */
static inline void block_disown(const struct block *b)
{
	pattern_verify(b, b->at, b->size);
	shadow_clear(b);
}

static inline void block_check(const struct block *b)
{
	pattern_verify(b, b->at, b->size);
}

static inline void block_free(struct block *b)
{
	void *at = b->at;

	if (!at)
		return;
	block_disown(b);
	b->at = NULL;
	free(at);
}

static inline bool block_malloc(struct block *b, size_t size, uint64_t owner)
{
	void *at = malloc(size);

	if ((uintptr_t)at % (size >= 16 ? 16 : 8))
		storm_fail("misaligned: block %p size %zu", at, size);
	return block_adopt(b, at, size, owner);
}

static inline bool block_calloc(struct block *b, size_t size, uint64_t owner)
{
	const char *at = calloc(1, size);
	size_t i;

	for (i = 0; at && i < size; i++)
		if (at[i])
			storm_fail("calloc: block %p size %zu: byte %zu is %d",
				   at, size, i, at[i]);
	return block_adopt(b, (void *)at, size, owner);
}

static inline bool block_aligned(struct block *b, size_t align, size_t size,
				 uint64_t owner)
{
	void *at;

	if (posix_memalign(&at, align, size))
		at = NULL;
	if (at && (uintptr_t)at % align)
		storm_fail("misaligned: block %p size %zu align %zu", at, size,
			   align);
	return block_adopt(b, at, size, owner);
}

static inline bool block_realloc(struct block *b, size_t size)
{
	struct block old = *b;
	void *at;

	if (!old.at)
		return block_malloc(b, size, old.owner);
	block_disown(&old);
	at = realloc(old.at, size);
	if (!at) {
		shadow_mark(&old);
		return false;
	}
	pattern_verify(&old, at, size < old.size ? size : old.size);
	return block_adopt(b, at, size, old.owner);
}

#endif
