/* layer 5.2: quarantine: freed blocks wait; contract in quarantine.h */
#include "front/quarantine.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "front/ring.h"
#include "slab/page_map.h"
#include "system/config.h"
#include "system/place.h"
#include "system/system.h"

#define BLOCK_USUAL 64 /* bytes, by which places are counted */
#define RUN_LIGHTER 16
#define RETURN_TRIES 64
#define PLACES_LEAST ((size_t)256)
#define PLACES_MOST ((size_t)1 << 20)
#define GRAIN 16       /* bytes, of weights */
#define WEIGHT_BITS 40 /* of a shard's count; places have the rest */
#define PLACE_BITS (64 - WEIGHT_BITS)
#define STAMP_BITS 14
#define STAMP_STEPS 10 /* a share has less than 2^10, and half of that */

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

static _Atomic(uint64_t) *places_find(void)
{
	return (void *)(uintptr_t)load_relaxed(&ring); // own: zeros, or blocks
}

static cold _Atomic(uint64_t) *places_make(void)
{
	size_t size = QUARANTINE_SHARDS * nr_places() * sizeof(uint64_t);
	void *mine = place_map(size);
	uint64_t found = 0;

	if (mine && !cas_relaxed(&ring, &found, (uintptr_t)mine)) // own
		system_unmap(mine, size);
	return places_find();
}

/* Counts and stamps */

static size_t weight(const struct block *block)
{
	return block->kind == BLOCK_RUN ? block->size / RUN_LIGHTER :
					  block->size;
}

static uint64_t share(void)
{
	return config.quarantine / QUARANTINE_SHARDS;
}

static unsigned stamp_shift(void)
{
	uint64_t grains = share() / GRAIN;

	return grains >> STAMP_STEPS ? bits_last(grains) - STAMP_STEPS + 1 : 0;
}

static uint64_t stamp_of(uint64_t put)
{
	return (put & bits_low(WEIGHT_BITS)) >> stamp_shift() &
	       bits_low(STAMP_BITS);
}

/* More than the share was put in behind it. */
static bool entry_is_old(uint64_t entry, uint64_t put)
{
	uint64_t age = (stamp_of(put) - entry) & bits_low(STAMP_BITS);

	return age > share() / GRAIN >> stamp_shift();
}

/* A block has 16 bytes at least, and addresses have 54 bits at most. */
static uint64_t entry_pack(const void *block, uint64_t put)
{
	return (uintptr_t)block / GRAIN << STAMP_BITS | stamp_of(put);
}

static void *entry_block(uint64_t entry)
{
	return (void *)(uintptr_t)((entry >> STAMP_BITS) * GRAIN);
}

static struct quarantine_shard *shard_of(unsigned id)
{
	return &quarantine_shards[id % QUARANTINE_SHARDS];
}

/* The count with this block, whose place it says. */
static uint64_t count_put(struct quarantine_shard *shard,
			  const struct block *block)
{
	uint64_t more = bits_one(WEIGHT_BITS) | div_up(weight(block), GRAIN);

	return add_relaxed(&shard->put, more) + more;
}

/* Steps from a place to a later one; of an earlier one it is negative. */
static int64_t places_between(uint64_t from, uint64_t to)
{
	return (int64_t)((to - from) << WEIGHT_BITS) >> WEIGHT_BITS;
}

static void count_held(struct quarantine_shard *shard, uint64_t more)
{
	if (more)
		add_relaxed(&shard->held, more);
}

/* Places */

static _Atomic(uint64_t) *place_find(const struct quarantine_shard *shard,
				     uint64_t place)
{
	return places_find() +
	       (size_t)(shard - quarantine_shards) * nr_places() +
	       place % nr_places();
}

/* What a place holds now comes out: the number of blocks. */
static int place_swap(struct quarantine_shard *shard, uint64_t place,
		      uint64_t entry, struct quarantined *out)
{
	// [quarantine.place] with place_swap(): the block's last use
	entry = take_acq_rel(place_find(shard, place), entry);
	out->pointer = entry_block(entry);
	if (!entry)
		return 0;
	page_map_find(out->pointer, &out->block);
	return 1;
}

/* Makes a run inaccessible, where the kernel can do it inside of a mapping. */
static void quarantine_shut(void *pointer, const struct block *block)
{
	size_t page = system_page_size();

	if (block->kind == BLOCK_RUN && block->size > page)
		system_guard(pointer, round_down(block->size - 1, page), false);
}

/* Into an empty place, of the first shard. */
static cold void place_return(const struct quarantined *out)
{
	struct quarantine_shard *shard = quarantine_shards;
	uint64_t put, none, tries;

	for (tries = 0; places_find() && tries < RETURN_TRIES; tries++) {
		put = count_put(shard, &out->block);
		none = 0;
		// [quarantine.place] with place_swap(): the block's last use
		if (!cas_release(place_find(shard, put >> WEIGHT_BITS), &none,
				 entry_pack(out->pointer, put)))
			continue;
		count_held(shard, out->block.size);
		return;
	}
}

/* It was not shut where the kernel cannot, which knows no opening then. */
bool quarantine_unshut(const struct quarantined *out)
{
	size_t page = system_page_size(), size = out->block.size;
	int result;

	if (out->block.kind != BLOCK_RUN || size <= page)
		return true;
	result = system_unguard(out->pointer, round_down(size - 1, page),
				false);
	if (!result || result == -EINVAL)
		return true;
	place_return(out);
	return false;
}

/* The tail and the count; the place behind which the oldest is, no more than a
 * turn behind the head. False: there is none, or another moves the tail. A tail
 * that is two turns behind goes on whatever lies there: from half of all
 * numbers away the head would seem to be behind it. */
static bool shard_find_tail(struct quarantine_shard *shard, uint64_t *tail,
			    uint64_t *put, uint64_t *place)
{
	int64_t most = (int64_t)nr_places(), ahead;

	*place = *tail = load_relaxed(&shard->tail);
	*put = load_relaxed(&shard->put);
	ahead = places_between(*tail, *put >> WEIGHT_BITS);
	if (ahead > most)
		*place += (uint64_t)(ahead - most);
	*place &= bits_low(PLACE_BITS);
	if (ahead <= 2 * most)
		return ahead > 0;
	if (!cas_relaxed(&shard->tail, tail, *place))
		return false;
	*tail = *place;
	return true;
}

/* The place of the oldest, which is the caller's, as far as there is one that
 * waited for long enough. Nobody passes the head: a place is the tail's no
 * sooner than it was given out. */
static bool shard_claim_oldest(struct quarantine_shard *shard, uint64_t *place)
{
	uint64_t tail, put, entry, next;

	if (!shard_find_tail(shard, &tail, &put, place))
		return false;
	entry = load_relaxed(place_find(shard, *place + 1)); // hint
	if (entry && !entry_is_old(entry, put))
		return false;
	next = *place = (*place + 1) & bits_low(PLACE_BITS);
	return cas_relaxed(&shard->tail, &tail, next);
}

int quarantine_put(unsigned id, const struct block *found, void *block,
		   struct quarantined out[QUARANTINE_OUT])
{
	struct quarantine_shard *shard = shard_of(id);
	uint64_t put, place, more = found->size;
	int i, n;

	if (weight(found) > share() / 2)
		return -1;
	if (unlikely(!places_find()) && !places_make())
		return -1;
	quarantine_shut(block, found);
	put = count_put(shard, found);
	n = place_swap(shard, put >> WEIGHT_BITS, entry_pack(block, put), out);
	for (i = 1; i < QUARANTINE_OUT && shard_claim_oldest(shard, &place);
	     i++)
		n += place_swap(shard, place, 0, &out[n]);
	for (i = 0; i < n; i++)
		more -= out[i].block.size;
	count_held(shard, more);
	return n;
}

bool quarantine_drive(unsigned id, const struct block *found, size_t turn,
		      struct quarantined *out)
{
	struct quarantine_shard *shard = shard_of(id);
	uint64_t place;

	if (turn >= weight(found) / QUARANTINE_HEAVY ||
	    !shard_claim_oldest(shard, &place))
		return false;
	if (place_swap(shard, place, 0, out))
		count_held(shard, 0 - out->block.size);
	return true;
}

bool quarantine_look(size_t i, void **block)
{
	_Atomic(uint64_t) *at = places_find();

	if (!at || i >= QUARANTINE_SHARDS * nr_places())
		return false;
	*block = entry_block(load_relaxed(at + i)); // hint
	return true;
}

bool quarantine_take(size_t i, struct quarantined *out)
{
	struct quarantine_shard *shard;

	if (!places_find() || i >= QUARANTINE_SHARDS * nr_places())
		return false;
	shard = &quarantine_shards[i / nr_places()];
	if (place_swap(shard, i, 0, out))
		count_held(shard, 0 - out->block.size);
	return true;
}

bool quarantine_has(const void *block)
{
	void *found;
	size_t i;

	for (i = 0; quarantine_look(i, &found); i++)
		if (found == block)
			return true;
	return ring_has(block);
}

/* A thread that died may have left a count below zero. */
size_t quarantine_shared_size(void)
{
	uint64_t size = 0, held;
	unsigned i;

	for (i = 0; i < QUARANTINE_SHARDS; i++) {
		held = load_relaxed(&quarantine_shards[i].held);
		size += held >> 63 ? 0 : held;
	}
	return size;
}

bool quarantine_may_hold(void)
{
	return quarantine_shared_size() || ring_ids_end();
}

size_t quarantine_size(void)
{
	return quarantine_shared_size() + ring_size();
}
