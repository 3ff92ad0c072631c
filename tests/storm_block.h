/* storm_block: the shadow of live ranges, and blocks with both checks; part
 * of storm.h
 */
#ifndef STORM_BLOCK_H
#define STORM_BLOCK_H

/* ---- the shadow ---- */

enum { RESERVE_MOST = 16 }; /* leaves, for a program of small blocks */

static inline struct leaf *shadow_map_leaves(size_t n)
{
	void *at = storm_map(n * sizeof(struct leaf));

	must(at);
	return at;
}

/* A block in the program's hands. at NULL: none. */
struct block {
	void *at;
	size_t size;
	uint64_t owner;
};

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
	struct granules g = granules_of(b->at, b->size);
	size_t met;

	if (!granules_are_users(g))
		storm_fail("block %p size %zu is outside of user space", b->at,
			   b->size);
	met = shadow_turn(g, true);
	if (met != SIZE_MAX)
		shadow_overlap(b, met);
	atomic_fetch_or(shadow_start(g.first / 64),
			(uint64_t)1 << g.first % 64);
}

static inline void shadow_clear(const struct block *b)
{
	struct granules g = granules_of(b->at, b->size);
	uint64_t mask = (uint64_t)1 << g.first % 64;

	if (!(atomic_fetch_and(shadow_start(g.first / 64), ~mask) & mask))
		storm_fail("block %p size %zu owner %llu is not live", b->at,
			   b->size, (unsigned long long)b->owner);
	if (shadow_turn(g, false) != SIZE_MAX)
		storm_fail("block %p size %zu owner %llu is live in part only",
			   b->at, b->size, (unsigned long long)b->owner);
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

	for (size_t i = 0; at && i < size; i++)
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
