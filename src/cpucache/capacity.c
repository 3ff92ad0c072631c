/* layer 4.3: capacity: how long each lane may be; policy in capacity.h */
#include "cpucache/capacity.h"

#include "cpucache/rseq.h"
#include "slab/bin.h"
#include "system/config.h"

#define SHRINK_TRIES 4
#define ONLY_FREES 4  /* flushes without a refill that tell of it */
#define TRIM_ROUNDS 8 /* batches by which one call shrinks a lane */
#define OWED_MOST 4096
#define MEDIUM_SHIFT 3 /* a lane's part of cpu_cache, of medium sizes */

/* Counts used_size anew from the limits: a drain resets both while others
 * change them, so the sum may have gone wrong. */
static void used_recount(unsigned id, struct cpu_cache *cache)
{
	uint64_t used = 0;
	unsigned size_class;

	for (size_class = 1; size_class < NR_CLASSES; size_class++)
		// hint
		used += size_classes[size_class].size *
			load_relaxed(&areas_lane(id, size_class)->limit);
	store_relaxed(&cache->used_size, used); // hint
}

static bool used_is_wrong(struct cpu_cache *cache)
{
	return (int64_t)load_relaxed(&cache->used_size) < 0; // hint
}

/* Gives what the lane holds beyond its limit to the slabs: a limit alone
 * empties no lane. Bounded, as others may refill meanwhile. */
static cold void lane_trim(unsigned id, struct lane *lane, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	unsigned rounds = TRIM_ROUNDS + 1;
	void *objects[BATCH_MOST];
	uint64_t count, limit;
	int n;

	while (rounds--) {
		count = load_once(&lane->count);
		limit = load_relaxed(&lane->limit); // hint
		if (count <= limit || rseq_current_id() != id)
			return;
		n = percpu_pop_batch(
			class_lane(c), objects,
			(unsigned)min_size(c->batch, count - limit));
		if (!n)
			return;
		if (n > 0)
			bin_give(id, objects, (unsigned)n);
	}
}

/* By how much a lane gives way: half of it, but no more than its objects can
 * be moved at once. */
static uint64_t shrink_size(uint64_t limit, unsigned size_class)
{
	return min_size(limit - limit / 2,
			TRIM_ROUNDS * (uint64_t)size_classes[size_class].batch);
}

/* Takes capacity from other classes in turn until `want` bytes are free. Once
 * in a round of all classes it counts anew. */
static bool shrink_others(unsigned id, struct cpu_cache *cache,
			  unsigned size_class, uint64_t want)
{
	uint64_t most = config.cpu_cache, used, limit, less;
	unsigned i, victim;
	struct lane *lane;

	for (i = 0; i < SHRINK_TRIES; i++) {
		used = load_relaxed(&cache->used_size); // hint
		if (used + want <= most)
			return true;
		victim = 1 + add_relaxed(&cache->shrink_next, 1) % // hint
				     (NR_CLASSES - 1);
		if (victim == 1 || used_is_wrong(cache))
			used_recount(id, cache);
		lane = areas_lane(id, victim);
		limit = load_relaxed(&lane->limit); // hint
		if (victim == size_class)
			continue;
		less = shrink_size(limit, victim);
		if (cas_relaxed(&lane->limit, &limit, limit - less)) // hint
			sub_relaxed(&cache->used_size,		     // hint
				    less * size_classes[victim].size);
		lane_trim(id, lane, victim);
	}
	return load_relaxed(&cache->used_size) + want <= most; // hint
}

/* A lane of medium sizes may not take the other classes' bytes. */
static uint64_t limit_most(const struct size_class *c)
{
	uint64_t size = config.cpu_cache >> MEDIUM_SHIFT;

	if (c->size <= SMALL_SIZE_MOST)
		return c->lane_slots;
	return min_size(max_size(size / c->size, 1), c->lane_slots);
}

/* Grows the lane's limit by a batch where the id's bytes allow. */
static bool lane_grow(unsigned id, struct cpu_cache *cache, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	struct lane *lane = areas_lane(id, size_class);
	uint64_t limit = load_relaxed(&lane->limit), cost; // hint
	uint64_t want = min_size(limit + c->batch, limit_most(c));

	if (want <= limit)
		return false;
	cost = (want - limit) * c->size;
	if (!shrink_others(id, cache, size_class, cost))
		return false;
	if (!cas_relaxed(&lane->limit, &limit, want)) // hint
		return false;
	add_relaxed(&cache->used_size, cost); // hint
	return true;
}

static bool lane_is_short(unsigned id, unsigned size_class)
{
	return load_relaxed(&areas_lane(id, size_class)->limit) < // hint
	       size_classes[size_class].batch;
}

void capacity_miss(unsigned id, struct cpu_cache *cache, unsigned size_class)
{
	_Atomic(uint16_t) *nr = &cache->nr_owed[size_class];
	uint16_t owed = load_relaxed(nr); // hint

	if (owed)
		store_relaxed(nr, owed - 1); // hint
	if (owed || lane_is_short(id, size_class))
		lane_grow(id, cache, size_class);
}

bool capacity_overflow(unsigned id, struct cpu_cache *cache,
		       unsigned size_class)
{
	_Atomic(uint8_t) *nr = &cache->nr_flushed[size_class];

	if (!lane_is_short(id, size_class)) {
		if (load_relaxed(nr)) // hint
			return false;
		store_relaxed(nr, 1); // hint
	}
	return lane_grow(id, cache, size_class);
}

void capacity_note_refill(struct cpu_cache *cache, unsigned size_class)
{
	_Atomic(uint8_t) *nr = &cache->nr_flushed[size_class];

	add_relaxed(&cache->nr_refills, 1); // counter
	if (load_relaxed(nr))		    // hint
		store_relaxed(nr, 0);	    // hint
}

static bool only_frees(struct cpu_cache *cache, unsigned size_class)
{
	// hint
	return load_relaxed(&cache->nr_flushed[size_class]) >= ONLY_FREES;
}

void capacity_note_flush(unsigned id, struct cpu_cache *cache,
			 unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	struct lane *lane = areas_lane(id, size_class);
	uint64_t limit = load_relaxed(&lane->limit), less; // hint

	add_relaxed(&cache->nr_flushes, 1);			   // counter
	if (load_relaxed(&cache->nr_owed[size_class]) < OWED_MOST) // hint
		add_relaxed(&cache->nr_owed[size_class], 1);	   // hint
	if (!only_frees(cache, size_class)) {
		add_relaxed(&cache->nr_flushed[size_class], 1); // hint
		return;
	}
	if (limit < 2 * (uint64_t)c->batch)
		return;
	less = limit - c->batch;
	if (cas_relaxed(&lane->limit, &limit, less)) // hint
		sub_relaxed(&cache->used_size,	     // hint
			    (uint64_t)c->batch * c->size);
}
