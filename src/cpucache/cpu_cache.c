/* layer 4.3: CPU cache: the lanes of each CPU; contract in cpu_cache.h */
#include "cpucache/cpu_cache.h"

#include "pageheap/page_heap.h"
#include "slab/bin.h"
#include "system/config.h"
#include "system/place.h"
#include "system/report.h"
#include "system/system.h"

#define SHRINK_TRIES 4
#define ONLY_FREES 4 /* flushes without a refill that tell of it */
#define REFUSED_PASSES 64 /* calls for each that asks for memory again */
#define TRIM_ROUNDS 8 /* batches by which one call shrinks a lane */
#define OWED_MOST 4096
#define MEDIUM_SHIFT 3 /* a lane's part of cpu_cache, of medium sizes */

static struct cpu_cache caches[NR_IDS_MOST];
static _Atomic(uint32_t) nr_ids; /* atomic: one more than the highest id */

static size_t area_size(void)
{
	return round_up(size_class_area_size(), UNIT_SIZE);
}

char *cpu_cache_area(struct cpu_cache *cache, unsigned which)
{
	// [cpu_cache.areas] with areas_add(): the areas' lanes
	return load_acquire(&cache->areas) + which * area_size();
}

_Atomic(uint64_t) *cpu_cache_table_word(unsigned id)
{
	return (_Atomic(uint64_t) *)(void *)(anchor.base +
					     REGION_TABLE_OFFSET) +
	       id;
}

unsigned cpu_cache_nr_ids(void)
{
	return load_relaxed(&nr_ids); // hint
}

struct cpu_cache *cpu_cache_of(unsigned id)
{
	struct cpu_cache *cache = &caches[id];

	return load_relaxed(&cache->areas) ? cache : NULL; // hint
}

static void nr_ids_raise(unsigned end)
{
	uint32_t seen = load_relaxed(&nr_ids); // hint

	while (seen < end && !cas_relaxed(&nr_ids, &seen, end)) // hint
		;
}

static void area_fill(char *area)
{
	unsigned class;

	for (class = 1; class < NR_LANES; class++)
		cpu_cache_lane(area, class)->slots =
			(void *)(area + size_classes[class].slots);
}

/* Memory for two areas, of which only what is used becomes resident. Where
 * there is none the system is not asked at every call. */
static char *areas_map(struct cpu_cache *cache)
{
	size_t size = 2 * area_size();
	uint32_t nr = load_relaxed(&cache->nr_refused); // hint
	char *areas;

	if (nr % REFUSED_PASSES) {
		add_relaxed(&cache->nr_refused, 1); // hint
		return NULL;
	}
	areas = place_map(size);
	if (areas)
		system_hugepages(areas, size, false);
	else
		add_relaxed(&cache->nr_refused, 1); // hint
	return areas;
}

/* Empty lane areas for a new id. Racing threads: one wins, the others give
 * theirs back. */
static bool areas_add(unsigned id, struct cpu_cache *cache)
{
	char *areas = areas_map(cache), *none = NULL;

	if (!areas)
		return false;
	area_fill(areas);
	area_fill(areas + area_size());
	// [cpu_cache.areas] with cpu_cache_area(): the areas' lanes
	if (!cas_release(&cache->areas, &none, areas))
		system_unmap(areas, 2 * area_size());
	nr_ids_raise(id + 1);
	return true;
}

/* Gives the id its lanes, unless it has them. The table word goes from 0 to
 * the first area by CAS, before any section or drain can write it; whoever
 * finds areas without a table word (their maker died or sleeps) sets it. */
static bool cache_install(unsigned id, struct cpu_cache *cache)
{
	_Atomic(uint64_t) *word = cpu_cache_table_word(id);
	uint64_t none = 0;

	if (load_relaxed(word)) // hint: it never returns to 0
		return true;
	if (!load_relaxed(&cache->areas) && !areas_add(id, cache)) // hint
		return false;
	/* Sections read the word and then the area by address dependency. */
	// [cpu_cache.table] with area_of(): the area's lanes
	cas_release(word, &none,
		    (uint64_t)(cpu_cache_area(cache, 0) - anchor.base));
	return true;
}

static char *area_of(unsigned id)
{
	// [cpu_cache.table] with cache_install(): the area's lanes
	return anchor.base + load_acquire(cpu_cache_table_word(id));
}

static struct lane *lane_of(unsigned id, unsigned class)
{
	return cpu_cache_lane(area_of(id), class);
}

/* used_size anew from the limits: a drain resets both while others change
 * them, so the sum may have gone wrong. */
static void used_recount(unsigned id, struct cpu_cache *cache)
{
	uint64_t used = 0;
	unsigned class;

	for (class = 1; class < NR_CLASSES; class++)
		used += size_classes[class].size *
			load_relaxed(&lane_of(id, class)->limit); // hint
	store_relaxed(&cache->used_size, used); // hint
}

static bool used_is_wrong(struct cpu_cache *cache)
{
	return (int64_t)load_relaxed(&cache->used_size) < 0; // hint
}

/* What the lane holds beyond its limit goes to the slabs: a limit alone
 * empties no lane. Bounded, as others may refill meanwhile. */
static cold void lane_trim(unsigned id, struct lane *lane, unsigned class)
{
	const struct size_class *c = &size_classes[class];
	unsigned rounds = TRIM_ROUNDS + 1;
	void *objects[BATCH_MOST];
	uint64_t count, limit;
	int n;

	while (rounds--) {
		count = *(volatile uint64_t *)&lane->count;
		limit = load_relaxed(&lane->limit); // hint
		if (count <= limit || rseq_current_id() != id)
			return;
		n = percpu_pop_batch(
			c->lane, objects,
			(unsigned)min_size(c->batch, count - limit));
		if (!n)
			return;
		if (n > 0)
			bin_give(id, objects, (unsigned)n);
	}
}

/* By how much a lane gives way: half of it, but no more than its objects can
 * be moved at once. */
static uint64_t shrink_size(uint64_t limit, unsigned class)
{
	return min_size(limit - limit / 2,
			TRIM_ROUNDS * (uint64_t)size_classes[class].batch);
}

/* Takes capacity from other classes in turn until `want` bytes are free. Once
 * in a round of all classes it counts anew. */
static bool shrink_others(unsigned id, struct cpu_cache *cache, unsigned class,
			  uint64_t want)
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
		lane = lane_of(id, victim);
		limit = load_relaxed(&lane->limit); // hint
		if (victim == class)
			continue;
		less = shrink_size(limit, victim);
		if (cas_relaxed(&lane->limit, &limit, limit - less)) // hint
			sub_relaxed(&cache->used_size, // hint
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
static bool lane_grow(unsigned id, struct cpu_cache *cache, unsigned class)
{
	const struct size_class *c = &size_classes[class];
	struct lane *lane = lane_of(id, class);
	uint64_t limit = load_relaxed(&lane->limit), cost; // hint
	uint64_t want = min_size(limit + c->batch, limit_most(c));

	if (want <= limit)
		return false;
	cost = (want - limit) * c->size;
	if (!shrink_others(id, cache, class, cost))
		return false;
	if (!cas_relaxed(&lane->limit, &limit, want)) // hint
		return false;
	add_relaxed(&cache->used_size, cost); // hint
	return true;
}

static bool lane_is_short(unsigned id, unsigned class)
{
	return load_relaxed(&lane_of(id, class)->limit) < // hint
	       size_classes[class].batch;
}

/* A flush was answered by a miss: neither would have been, had the lane been
 * longer by a batch. */
static void lane_grow_miss(unsigned id, struct cpu_cache *cache, unsigned class)
{
	_Atomic(uint16_t) *nr = &cache->nr_owed[class];
	uint16_t owed = load_relaxed(nr); // hint

	if (owed)
		store_relaxed(nr, owed - 1); // hint
	if (owed || lane_is_short(id, class))
		lane_grow(id, cache, class);
}

/* The first overflow after a miss: the lane grows before anything is flushed.
 * It stands for a flush, so that the next one does not grow it too. */
static bool lane_grow_overflow(unsigned id, struct cpu_cache *cache,
			       unsigned class)
{
	_Atomic(uint8_t) *nr = &cache->nr_flushed[class];

	if (!lane_is_short(id, class)) {
		if (load_relaxed(nr)) // hint
			return false;
		store_relaxed(nr, 1); // hint
	}
	return lane_grow(id, cache, class);
}

static void note_refill(struct cpu_cache *cache, unsigned class)
{
	_Atomic(uint8_t) *nr = &cache->nr_flushed[class];

	add_relaxed(&cache->nr_refills, 1); // counter
	if (load_relaxed(nr)) // hint
		store_relaxed(nr, 0); // hint
}

static bool only_frees(struct cpu_cache *cache, unsigned class)
{
	return load_relaxed(&cache->nr_flushed[class]) >= ONLY_FREES; // hint
}

static void note_flush(unsigned id, struct cpu_cache *cache, unsigned class)
{
	const struct size_class *c = &size_classes[class];
	struct lane *lane = lane_of(id, class);
	uint64_t limit = load_relaxed(&lane->limit), less; // hint

	add_relaxed(&cache->nr_flushes, 1); // counter
	if (load_relaxed(&cache->nr_owed[class]) < OWED_MOST) // hint
		add_relaxed(&cache->nr_owed[class], 1); // hint
	if (!only_frees(cache, class)) {
		add_relaxed(&cache->nr_flushed[class], 1); // hint
		return;
	}
	if (limit < 2 * (uint64_t)c->batch)
		return;
	less = limit - c->batch;
	if (cas_relaxed(&lane->limit, &limit, less)) // hint
		sub_relaxed(&cache->used_size, // hint
			    (uint64_t)c->batch * c->size);
}

static void lane_refill(unsigned id, unsigned class, void **objects, unsigned n)
{
	uint64_t lane = size_classes[class].lane;
	int pushed = 0;

	if (n)
		pushed = percpu_push_batch(lane, objects, n);
	if (pushed < 0)
		pushed = percpu_push_batch(lane, objects, n);
	if (pushed < 0)
		pushed = 0;
	bin_give(id, objects + pushed, n - (unsigned)pushed);
}

/* One object for the caller, and what the lane may hold. */
static unsigned refill_size(unsigned id, unsigned class)
{
	uint64_t limit = load_relaxed(&lane_of(id, class)->limit); // hint

	return (unsigned)min_size(size_classes[class].batch, limit + 1);
}

void *cpu_cache_alloc_slow(unsigned class)
{
	const struct size_class *c = &size_classes[class];
	unsigned id = rseq_current_id(), n;
	struct cpu_cache *cache = &caches[id];
	void *objects[BATCH_MOST];

	objects[0] = percpu_pop(c->lane);
	if (objects[0]) {
		add_relaxed(&cache->nr_aborts, 1); // counter
		return objects[0];
	}
	if (!cache_install(id, cache))
		return cpu_cache_alloc_direct(class);
	lane_grow_miss(id, cache, class);
	n = bin_take(id, class, objects, refill_size(id, class));
	if (!n)
		return NULL;
	note_refill(cache, class);
	/* The last one, so that the first objects of all classes' slabs, which
	 * begin at multiples of units, do not meet in one cache set. */
	lane_refill(id, class, objects, n - 1);
	return objects[n - 1];
}

/* The batch came off the top of a lane that was full for `object`. */
static void batch_refuse(void *object, void *const *objects, int n)
{
	if (unlikely(n > 0 && objects[n - 1] == object))
		fault("free of %p: already free", object);
}

void cpu_cache_free_slow(void *object, unsigned class)
{
	const struct size_class *c = &size_classes[class];
	unsigned id = rseq_current_id();
	struct cpu_cache *cache = &caches[id];
	void *objects[BATCH_MOST];
	int n;

	if (percpu_push(c->lane, object)) {
		add_relaxed(&cache->nr_aborts, 1); // counter
		return;
	}
	if (!cache_install(id, cache)) {
		cpu_cache_free_direct(object);
		return;
	}
	if (lane_grow_overflow(id, cache, class) &&
	    percpu_push(c->lane, object))
		return;
	n = percpu_pop_batch(c->lane, objects, c->batch);
	if (n < 0)
		n = percpu_pop_batch(c->lane, objects, c->batch);
	batch_refuse(object, objects, n);
	if (n > 0) {
		note_flush(id, cache, class);
		bin_give(id, objects, (unsigned)n);
	}
	if (!percpu_push(c->lane, object))
		bin_give(id, &object, 1);
}

static void home_limit(_Atomic(uint64_t) *limit, const struct size_class *c)
{
	uint64_t want = min_size(HOME_LANE_SLOTS, config.cpu_cache / c->size);

	if (load_relaxed(limit) != want) // hint
		store_relaxed(limit, want); // hint
}

/* The home lane took no more, or is not there yet. */
static cold enum home home_flush(void *object, unsigned class)
{
	const struct size_class *c = &size_classes[class];
	unsigned id = rseq_current_id();
	struct cpu_cache *cache = &caches[id];
	void *objects[BATCH_MOST];
	int n;

	if (!cache_install(id, cache))
		return HOME_REFUSED;
	home_limit(&lane_of(id, class)->limit, c);
	n = percpu_pop_batch(c->lane, objects, c->batch);
	if (n < 0)
		n = percpu_pop_batch(c->lane, objects, c->batch);
	batch_refuse(object, objects, n);
	if (n > 0) {
		add_relaxed(&cache->nr_flushes, 1); // counter
		bin_give(id, objects, (unsigned)n);
	}
	if (!percpu_push(c->lane, object))
		bin_give(id, &object, 1);
	return HOME_FLUSHED;
}

enum home cpu_cache_free_home(void *object, unsigned class)
{
	unsigned home = HOME_LANES + class;

	/* Freed twice, and its slab is gone since the caller's look. */
	if (unlikely(class - 1 >= NR_TINY))
		return HOME_REFUSED;
	/* Once more after an abort. */
	if (likely(percpu_push(home * LANE_WORDS, object)) ||
	    percpu_push(home * LANE_WORDS, object))
		return HOME_LANE;
	return home_flush(object, home);
}

void *cpu_cache_alloc_direct(unsigned class)
{
	unsigned id = rseq_current_id();
	void *object;

	add_relaxed(&caches[id].nr_direct, 1); // counter
	return bin_take(id, class, &object, 1) ? object : NULL;
}

void cpu_cache_free_direct(void *object)
{
	unsigned id = rseq_current_id();

	add_relaxed(&caches[id].nr_direct, 1); // counter
	bin_give(id, &object, 1);
}

void cpu_cache_flush_own(void)
{
	void *objects[BATCH_MOST];
	unsigned class;
	int n, rounds;

	for (class = 1; class < NR_LANES; class++) {
		const struct size_class *c = &size_classes[class];

		/* Bounded: other threads of this CPU may refill meanwhile. */
		rounds = 2 + (int)(c->lane_slots / max_size(c->batch, 1));
		while (rounds--) {
			n = percpu_pop_batch(c->lane, objects, c->batch);
			if (!n)
				break;
			if (n > 0)
				bin_give(rseq_current_id(), objects,
					 (unsigned)n);
		}
	}
}

static uint64_t area_cached_size(char *area)
{
	uint64_t size = 0;
	unsigned class;

	for (class = 1; class < NR_LANES; class++)
		size += size_classes[class].size *
			*(volatile uint64_t *)&cpu_cache_lane(area, class)
				 ->count;
	return size;
}

void cpu_cache_stats(struct cpu_cache_stats *out)
{
	struct cpu_cache *cache;
	unsigned id, end;

	*out = (struct cpu_cache_stats){ 0 };
	/* Direct mode hashes threads to the first nr_cpus ids. */
	end = cpu_cache_nr_ids();
	if (end < rseq_state.nr_cpus)
		end = rseq_state.nr_cpus;
	for (id = 0; id < end; id++) {
		cache = &caches[id];
		out->nr_refills += load_relaxed(&cache->nr_refills); // counter
		out->nr_flushes += load_relaxed(&cache->nr_flushes); // counter
		out->nr_aborts += load_relaxed(&cache->nr_aborts);   // counter
		out->nr_direct += load_relaxed(&cache->nr_direct);   // counter
		if (!load_relaxed(&cache->areas)) // hint
			continue;
		out->nr_cpu_caches++;
		out->cached_size += area_cached_size(cpu_cache_area(cache, 0)) +
				    area_cached_size(cpu_cache_area(cache, 1));
	}
}
