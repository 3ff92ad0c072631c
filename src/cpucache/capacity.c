/* layer 4.3: capacity: how long each lane may be; policy in capacity.h */
#include "cpucache/capacity.h"

#include "cpucache/rseq.h"
#include "pageheap/budget.h"
#include "pageheap/limit.h"
#include "slab/bin.h"
#include "system/config.h"

#define SHRINK_TRIES 8
#define POOR_PASSES 8 /* tries to grow for each that is made, without a pool */
#define ONLY_FREES 4  /* flushes without a refill that tell of it */
#define TRIM_ROUNDS 8 /* batches by which one call shrinks a lane */
#define OWED_MOST 4096
#define MEDIUM_SHIFT 3 /* a lane's part of cpu_cache, of medium sizes */
#define SHARE_SHIFT 3  /* an eighth of what is claimed, for all ids */
#define AT_WORK_LEAST 2
#define OWN_SHIFT 3 /* an eighth of that for each in equal parts */
#define OWN_LEAST ((uint64_t)16 << 10)
#define LIMITED_SIZE ((uint64_t)1 << 20) /* beyond the soft limit */
#define QUOTA_STEP ((uint64_t)64 << 10)

static _Atomic(uint64_t) pool_taken; /* atomic: the sum of all quotas */
static _Atomic(uint32_t) pool_asked; /* hint: one with little found none */

/* What a small heap's ids may hold together: as much as two that work. */
static uint64_t all_least(void)
{
	return config.cpu_cache * min_size(rseq_state.nr_cpus, AT_WORK_LEAST);
}

uint64_t capacity_all_most(void)
{
	if (unlikely(budget_resident_size() >> UNIT_SHIFT > limit_soft_units()))
		return min_size(config.cpu_cache, LIMITED_SIZE);
	return max_size(all_least(), budget_claimed_size() >> SHARE_SHIFT);
}

static uint64_t pool_most(void)
{
	uint64_t all = capacity_all_most();

	return all - (all >> OWN_SHIFT);
}

/* Counts those that may come, too, so that none has more than is left for
 * it. */
static uint64_t nr_ids_most(void)
{
	return max_size(max_size(cpu_cache_nr_ids(), rseq_state.nr_cpus), 1);
}

/* Returns what an id has without asking. */
static uint64_t own_share(void)
{
	uint64_t part = (capacity_all_most() >> OWN_SHIFT) / nr_ids_most();

	return max_size(part, OWN_LEAST);
}

static bool is_rich(struct cpu_cache *cache)
{
	uint64_t quota = load_relaxed(&cache->quota); // hint

	return quota > QUOTA_STEP && quota > pool_most() / nr_ids_most();
}

static uint64_t id_most(struct cpu_cache *cache)
{
	uint64_t quota = load_relaxed(&cache->quota); // hint

	return min_size(config.cpu_cache, own_share() + quota);
}

/* Takes more of the pool, by steps. False: it has no more. */
static bool quota_try_raise(struct cpu_cache *cache, uint64_t size)
{
	uint64_t taken = load_relaxed(&pool_taken), most = pool_most(); // own

	size = round_up(size, QUOTA_STEP);
	do {
		if (taken + size > most) {
			if (!is_rich(cache))
				store_relaxed(&pool_asked, 1);
			return false;
		}
		// own: bytes that only count
	} while (!cas_relaxed(&pool_taken, &taken, taken + size));
	add_relaxed(&cache->quota, size); // own: bytes that only count
	return true;
}

static void quota_lower(struct cpu_cache *cache, uint64_t size)
{
	uint64_t quota = load_relaxed(&cache->quota); // own: bytes that count

	size = min_size(size, quota);
	// own: the winner gives them back
	if (size && cas_relaxed(&cache->quota, &quota, quota - size))
		sub_relaxed(&pool_taken, size); // own: bytes that only count
}

static uint64_t used_size(struct cpu_cache *cache)
{
	return load_relaxed(&cache->used_size);
}

/* Gives back what the pool has no more, as the heap has shrunk; what is not
 * used; and a step that another one asked for. */
static void quota_settle(struct cpu_cache *cache)
{
	uint64_t taken = load_relaxed(&pool_taken), most = pool_most(); // hint
	uint64_t used = used_size(cache);
	uint64_t whole = id_most(cache);

	if (unlikely(taken > most))
		quota_lower(cache, taken - most);
	else if (unlikely(whole > used + 2 * QUOTA_STEP))
		quota_lower(cache, round_up((whole - used) / 2, QUOTA_STEP));
	else if (unlikely(load_relaxed(&pool_asked)) && is_rich(cache)) {
		store_relaxed(&pool_asked, 0);
		quota_lower(cache, QUOTA_STEP);
	}
}

void capacity_forget(struct cpu_cache *cache)
{
	store_relaxed(&cache->used_size, 0);
	store_relaxed(&cache->nr_passes, 0);
	quota_lower(cache, UINT64_MAX);
}

/* Counts used_size anew from the limits: a drain resets both while others
 * change them, so the sum may have gone wrong. */
static void used_recount(unsigned id, struct cpu_cache *cache)
{
	uint64_t used = 0;
	unsigned size_class;

	for (size_class = 1; size_class <= FAR_LANE; size_class++)
		used += size_classes[size_class].size *
			lane_limit(areas_lane(id, size_class));
	store_relaxed(&cache->used_size, used);
}

static bool used_is_wrong(struct cpu_cache *cache)
{
	return (int64_t)used_size(cache) < 0;
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
		count = lane_nr(lane);
		limit = lane_limit(lane);
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

/* Returns by how much a lane gives way: half of it, but no more than its
 * objects can be moved at once. */
static uint64_t shrink_size(uint64_t limit, unsigned size_class)
{
	return min_size(limit - limit / 2,
			TRIM_ROUNDS * (uint64_t)size_classes[size_class].batch);
}

/* Whether the id may hold that much, perhaps by more of the pool. */
static bool may_use(struct cpu_cache *cache, uint64_t size)
{
	uint64_t most = id_most(cache);

	return size <= most || (size <= config.cpu_cache &&
				quota_try_raise(cache, size - most));
}

/* Makes a lane give way, where it has something. */
static void lane_give_way(unsigned id, struct cpu_cache *cache, unsigned victim)
{
	struct lane *lane = areas_lane(id, victim);
	uint64_t limit = lane_limit(lane), less;

	if (!limit && !lane_nr(lane))
		return;
	less = shrink_size(limit, victim);
	if (lane_move_limit(lane, limit, limit - less))
		sub_relaxed(&cache->used_size,
			    less * size_classes[victim].size);
	lane_trim(id, lane, victim);
}

/* Takes capacity from other lanes in turn until `want` bytes are free; the pool
 * is asked once. Once in a round of all lanes it counts anew. */
static bool shrink_others(unsigned id, struct cpu_cache *cache,
			  unsigned size_class, uint64_t want)
{
	uint64_t most;
	unsigned i, victim;

	if (may_use(cache, used_size(cache) + want))
		return true;
	most = id_most(cache);
	if (most < config.cpu_cache)
		store_relaxed(&cache->nr_passes, POOR_PASSES - 1);
	for (i = 0; i < SHRINK_TRIES; i++) {
		victim = 1 + add_relaxed(&cache->shrink_next, 1) % FAR_LANE;
		if (victim == 1 || used_is_wrong(cache))
			used_recount(id, cache);
		if (victim != size_class)
			lane_give_way(id, cache, victim);
		if (used_size(cache) + want <= most)
			return true;
	}
	return false;
}

/* Returns the most that a lane may hold: one of medium sizes may not take the
 * other classes' bytes; one of objects that go home holds the batch that goes
 * together. */
static uint64_t limit_most(unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	uint64_t size = config.cpu_cache >> MEDIUM_SHIFT;

	if (size_class >= NR_CLASSES && size_class < FAR_LANE)
		return c->batch;
	if (c->size <= SMALL_SIZE_MOST)
		return c->lane_slots;
	return min_size(max_size(size / c->size, 1), c->lane_slots);
}

/* Returns a batch; where that is more than half of all that the id may hold,
 * less. */
static uint64_t grow_step(struct cpu_cache *cache, const struct size_class *c)
{
	uint64_t half = id_most(cache) / 2;

	return min_size(c->batch, max_size(half / c->size, 1));
}

/* Whether growing is not worth a try now. Where the pool has no more, each of
 * many classes would take from the next one with every miss: so one try in
 * POOR_PASSES moves capacity from lane to lane, or finds the pool richer. */
static bool lane_passes(struct cpu_cache *cache)
{
	uint32_t nr = load_relaxed(&cache->nr_passes);

	if (likely(!nr))
		return false;
	store_relaxed(&cache->nr_passes, nr - 1);
	return true;
}

/* Grows the lane's limit by a batch where the id's bytes allow. */
static bool lane_grow(unsigned id, struct cpu_cache *cache, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	struct lane *lane;
	uint64_t limit, want, cost;

	if (lane_passes(cache))
		return false;
	lane = areas_lane(id, size_class);
	limit = lane_limit(lane);
	want = min_size(limit + grow_step(cache, c), limit_most(size_class));
	if (want <= limit)
		return false;
	quota_settle(cache);
	cost = (want - limit) * c->size;
	if (!shrink_others(id, cache, size_class, cost))
		return false;
	if (!lane_move_limit(lane, limit, want))
		return false;
	add_relaxed(&cache->used_size, cost);
	return true;
}

static bool lane_is_short(unsigned id, unsigned size_class)
{
	return lane_limit(areas_lane(id, size_class)) <
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

bool capacity_go_home(unsigned id, struct cpu_cache *cache, unsigned remote)
{
	return lane_grow(id, cache, remote);
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

	add_relaxed(&cache->nr_refills, 1);
	if (load_relaxed(nr))	      // hint
		store_relaxed(nr, 0); // hint
}

static bool only_frees(struct cpu_cache *cache, unsigned size_class)
{
	return load_relaxed(&cache->nr_flushed[size_class]) >= ONLY_FREES;
}

void capacity_note_flush(unsigned id, struct cpu_cache *cache,
			 unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	struct lane *lane = areas_lane(id, size_class);
	uint64_t limit = lane_limit(lane), less;

	add_relaxed(&cache->nr_flushes, 1);
	if (load_relaxed(&cache->nr_owed[size_class]) < OWED_MOST) // hint
		add_relaxed(&cache->nr_owed[size_class], 1);	   // hint
	if (!only_frees(cache, size_class)) {
		add_relaxed(&cache->nr_flushed[size_class], 1);
		return;
	}
	if (limit < 2 * (uint64_t)c->batch)
		return;
	less = limit - c->batch;
	if (lane_move_limit(lane, limit, less))
		sub_relaxed(&cache->used_size, (uint64_t)c->batch * c->size);
}
