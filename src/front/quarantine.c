/* layer 5.2: quarantine: freed blocks wait; contract in quarantine.h */
#include "front/quarantine.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "slab/page_map.h"
#include "system/config.h"
#include "system/place.h"
#include "system/system.h"

#define BLOCK_USUAL 64 /* bytes, by which places are counted */
#define RUN_LIGHTER 16
#define RETURN_TRIES 64
#define PLACES_LEAST ((size_t)256)
#define PLACES_MOST ((size_t)1 << 20)

struct quarantine_shard quarantine_shards[QUARANTINE_SHARDS];

static _Atomic(uint64_t) ring; /* atomic: its address, set once */

/* Counts the places of each shard. */
static size_t nr_places(void)
{
	size_t n =
		max_size(PLACES_LEAST,
			 config.quarantine / (BLOCK_USUAL * QUARANTINE_SHARDS));

	return (size_t)bits_one(bits_last(min_size(n, PLACES_MOST)));
}

static _Atomic(uint64_t) *ring_find(void)
{
	return (void *)(uintptr_t)load_relaxed(&ring); // own: zeros, or blocks
}

static cold _Atomic(uint64_t) *ring_make(void)
{
	size_t size = QUARANTINE_SHARDS * nr_places() * sizeof(uint64_t);
	void *mine = place_map(size);
	uint64_t found = 0;

	if (mine && !cas_relaxed(&ring, &found, (uintptr_t)mine)) // own
		system_unmap(mine, size);
	return ring_find();
}

static size_t weight(const struct block *block)
{
	return block->kind == BLOCK_RUN ? block->size / RUN_LIGHTER :
					  block->size;
}

static void count_in(struct quarantine_shard *shard, const struct block *block)
{
	add_relaxed(&shard->size, weight(block)); // counter
	add_relaxed(&shard->held, block->size);	  // counter
}

/* Takes a block off the counts, by who holds it. */
static void count_out(struct quarantine_shard *shard, const void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	sub_relaxed(&shard->size, weight(&block)); // counter
	sub_relaxed(&shard->held, block.size);	   // counter
}

/* Makes a run inaccessible, where the kernel can do it inside of a mapping. */
static void quarantine_shut(void *pointer, const struct block *block)
{
	size_t page = system_page_size();

	if (block->kind == BLOCK_RUN && block->size > page)
		system_guard(pointer, round_down(block->size - 1, page), false);
}

/* Puts a block back into an empty place, of the first shard. */
static cold void place_return(void *pointer, const struct block *block)
{
	uint64_t place, none, tries;

	for (tries = 0; ring_find() && tries < RETURN_TRIES; tries++) {
		place = add_relaxed(&quarantine_shards[0].head, 1); // hint
		place %= nr_places();
		none = 0;
		// [quarantine.place] with place_swap(): the block's last use
		if (!cas_release(ring_find() + place, &none,
				 (uintptr_t)pointer))
			continue;
		count_in(&quarantine_shards[0], block);
		return;
	}
}

/* A kernel that could not shut it knows no opening, either. */
bool quarantine_unshut(void *pointer, const struct block *block)
{
	size_t page = system_page_size();
	int result;

	if (block->kind != BLOCK_RUN || block->size <= page)
		return true;
	result = system_unguard(pointer, round_down(block->size - 1, page),
				false);
	if (!result || result == -EINVAL)
		return true;
	place_return(pointer, block);
	return false;
}

/* Puts a block into a place and takes out what that holds. */
static void *place_swap(struct quarantine_shard *shard, uint64_t place,
			void *block)
{
	_Atomic(uint64_t) *at = ring_find();
	uint64_t out;

	at += (size_t)(shard - quarantine_shards) * nr_places() +
	      place % nr_places();
	// [quarantine.place] with place_swap(): the block's last use
	out = take_acq_rel(at, (uintptr_t)block);
	if (out)
		count_out(shard, (void *)out);
	return (void *)(uintptr_t)out;
}

/* Takes the oldest out; NULL: none, or another thread was faster. */
static void *shard_take(struct quarantine_shard *shard)
{
	uint64_t head = load_relaxed(&shard->head), tail; // hint

	if (head > nr_places())
		raise_relaxed(&shard->tail, head - nr_places()); // hint
	tail = load_relaxed(&shard->tail);			 // hint
	/* Who loses leaves it to the winner: no two pass the head. */
	if (tail >= head || !cas_relaxed(&shard->tail, &tail, tail + 1)) // hint
		return NULL;
	return place_swap(shard, tail, NULL);
}

static bool shard_is_over(struct quarantine_shard *shard)
{
	return load_relaxed(&shard->size) > // counter
	       config.quarantine / QUARANTINE_SHARDS;
}

int quarantine_put(unsigned id, const struct block *found, void *block,
		   void *out[QUARANTINE_OUT])
{
	struct quarantine_shard *shard =
		&quarantine_shards[id % QUARANTINE_SHARDS];
	unsigned tries;
	int n;

	if (weight(found) > config.quarantine / QUARANTINE_SHARDS / 2)
		return -1;
	if (unlikely(!ring_find()) && !ring_make())
		return -1;
	quarantine_shut(block, found);
	count_in(shard, found);
	out[0] = place_swap(shard, add_relaxed(&shard->head, 1), block); // hint
	n = out[0] != NULL;
	for (tries = 1; tries < QUARANTINE_OUT && shard_is_over(shard);
	     tries++) {
		out[n] = shard_take(shard);
		n += out[n] != NULL;
	}
	return n;
}

bool quarantine_look(size_t i, void **block)
{
	_Atomic(uint64_t) *at = ring_find();

	if (!at || i >= QUARANTINE_SHARDS * nr_places())
		return false;
	*block = (void *)(uintptr_t)load_relaxed(at + i); // hint
	return true;
}

bool quarantine_take(size_t i, void **block)
{
	if (!ring_find() || i >= QUARANTINE_SHARDS * nr_places())
		return false;
	*block = place_swap(&quarantine_shards[i / nr_places()],
			    i % nr_places(), NULL);
	return true;
}

bool quarantine_has(const void *block)
{
	void *found;
	size_t i;

	for (i = 0; quarantine_look(i, &found); i++)
		if (found == block)
			return true;
	return false;
}

size_t quarantine_size(void)
{
	uint64_t size = 0;
	unsigned i;

	for (i = 0; i < QUARANTINE_SHARDS; i++)
		size += load_relaxed(&quarantine_shards[i].held); // counter
	return size;
}
