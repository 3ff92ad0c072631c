/* layer 4.4: drain: take a CPU's cached objects from outside; protocol in
 * drain.h */
#include "cpucache/drain.h"

#include "base/word.h"
#include "cpucache/capacity.h"
#include "cpucache/cpu_cache.h"
#include "slab/bin.h"
#include "system/sandbox.h"
#include "system/system.h"

#define DRAIN_DEADLINE_MS 2000
#define ABORTS_MOST 1000 /* in a row: single-stepped; give up for now */

/* The lease is odd while it is held; no value comes twice. */
struct drain_lease {
	uint64_t held : 1;
	uint64_t turn : 63;
};
WORD(drain_lease, uint64_t);

static _Atomic(uint64_t) lease;	    /* atomic: struct drain_lease */
static _Atomic(uint64_t) deadline;  /* atomic: hint, ms */
static _Atomic(uint64_t) nr_drains; /* atomic: counter */

/* One thread's attempt. */
struct drainer {
	struct rseq_area *self;
	uint64_t mine;
	size_t nr_objects;
};

/* Takes it from who dropped it, or takes it over. */
static struct drain_lease lease_taken(struct drain_lease w)
{
	return (struct drain_lease){ .held = 1, .turn = w.turn + w.held };
}

static struct drain_lease lease_dropped(struct drain_lease w)
{
	return (struct drain_lease){ .held = 0, .turn = w.turn + 1 };
}

static bool lease_take(struct drainer *d, bool urgent)
{
	uint64_t seen = load_relaxed(&lease), now = system_now_ms(); // own
	struct drain_lease w = drain_lease_unpack(seen);

	if (w.held && !urgent && now < load_relaxed(&deadline))
		return false;
	d->mine = drain_lease_pack(lease_taken(w));
	// [drain.lease] with lease_drop(): the former holder's areas
	if (!cas_acquire(&lease, &seen, d->mine))
		return false;
	store_relaxed(&deadline, now + DRAIN_DEADLINE_MS);
	return !w.held || rseq_fence();
}

static void lease_drop(struct drainer *d)
{
	uint64_t mine = d->mine;
	struct drain_lease w = lease_dropped(drain_lease_unpack(mine));

	// [drain.lease] with lease_take(): this holder's areas
	cas_release(&lease, &mine, drain_lease_pack(w));
}

/* Takes all objects out of one lane of a detached area; false: the lease is
 * lost, or every section aborts. */
static bool lane_empty(struct drainer *d, unsigned id, struct lane *lane,
		       unsigned batch)
{
	void *objects[BATCH_MOST];
	enum percpu_result result;
	unsigned n = 0, aborts = 0;

	do {
		result = percpu_pop_checked(d->self, lane, &lease, d->mine,
					    &objects[n]);
		aborts = result == PERCPU_ABORT ? aborts + 1 : 0;
		n += result == PERCPU_DONE;
		if (n == batch || result == PERCPU_EMPTY ||
		    result == PERCPU_LOST) {
			bin_give(id, objects, n);
			d->nr_objects += n;
			n = 0;
		}
	} while (result == PERCPU_DONE ||
		 (result == PERCPU_ABORT && aborts < ABORTS_MOST));
	bin_give(id, objects, n);
	return result == PERCPU_EMPTY;
}

static bool area_empty(struct drainer *d, unsigned id, char *area)
{
	unsigned size_class;

	for (size_class = 1; size_class < NR_LANES; size_class++)
		if (!lane_empty(d, id, cpu_cache_lane(area, size_class),
				max_size(size_classes[size_class].batch, 1)))
			return false;
	return true;
}

static void area_reset_limits(char *area)
{
	unsigned size_class;

	for (size_class = 1; size_class < NR_LANES; size_class++)
		lane_set_limit(cpu_cache_lane(area, size_class), 0);
}

/* Sets a word that only the lease's holder may. */
static bool word_set(struct drainer *d, _Atomic(uint64_t) *word, uint64_t value)
{
	enum percpu_result result = PERCPU_ABORT;
	unsigned i;

	for (i = 0; i < ABORTS_MOST && result == PERCPU_ABORT; i++)
		result = percpu_store_checked(d->self, word, value, &lease,
					      d->mine);
	return result == PERCPU_DONE;
}

static bool area_swap(struct drainer *d, unsigned id, char *spare)
{
	return word_set(d, cpu_cache_table_word(id),
			(uint64_t)(spare - anchor.base));
}

/* Gives the memory of the slots of an empty, detached area back. */
static void slots_drop(struct drainer *d, struct cpu_cache *cache, char *area)
{
	size_t page = system_page_size();
	uintptr_t from = (uintptr_t)area + size_class_lanes_size();
	uintptr_t end = (uintptr_t)area + size_class_area_size();

	from = round_up(from, page);
	end = round_down(end, page);
	if (!word_set(d, &cache->dropping, 1))
		return;
	areas_close(area);
	system_purge((void *)from, end - from);
	// [cpu_cache.dropping] with cache_is_dropping(): the call is over
	store_release(&cache->dropping, 0);
}

static bool cache_is_dropping(struct cpu_cache *cache)
{
	// [cpu_cache.dropping] with slots_drop(): the call is over
	return load_acquire(&cache->dropping);
}

/* Does the steps of drain.h. */
static bool cache_drain(struct drainer *d, unsigned id, struct cpu_cache *cache)
{
	// held: by the drain lease
	uint64_t used = load_relaxed(cpu_cache_table_word(id));
	char *old = cpu_cache_area(cache, 0);
	char *spare = cpu_cache_area(cache, 1);

	if (anchor.base + used != old) {
		spare = old;
		old = cpu_cache_area(cache, 1);
	}
	if (!area_empty(d, id, spare))
		return false;
	area_reset_limits(spare);
	if (!area_swap(d, id, spare))
		return false;
	capacity_forget(cache);
	add_relaxed(&nr_drains, 1);
	if (!rseq_fence() || !area_empty(d, id, old))
		return false;
	slots_drop(d, cache, old);
	return true;
}

/* Whether the id had neither refill nor flush since the last look. */
static bool cache_is_idle(struct cpu_cache *cache)
{
	uint32_t events = (uint32_t)(load_relaxed(&cache->nr_refills) +
				     load_relaxed(&cache->nr_flushes));
	uint32_t seen = take_relaxed(&cache->seen, events);

	return seen == events;
}

static bool cache_holds_objects(struct cpu_cache *cache)
{
	unsigned size_class, which;
	struct lane *lane;

	for (which = 0; which < 2; which++)
		for (size_class = 1; size_class < NR_LANES; size_class++) {
			lane = cpu_cache_lane(cpu_cache_area(cache, which),
					      size_class);
			if (lane_nr(lane))
				return true;
		}
	return false;
}

/* Without a fence there is no drain, and in a sandbox no fence. */
static bool may_drain(void)
{
	return rseq_state.fence && !sandbox_known();
}

static size_t drain_all(struct rseq_area *self, bool idle_only, bool urgent)
{
	struct drainer d = { .self = self };
	unsigned id, end = cpu_cache_nr_ids();
	struct cpu_cache *cache;

	if (!self || !may_drain() || !lease_take(&d, urgent))
		return 0;
	for (id = 0; id < end; id++) {
		cache = cpu_cache_of(id);
		if (!cache || !load_relaxed(cpu_cache_table_word(id)) || // hint
		    cache_is_dropping(cache))
			continue;
		if (idle_only && !cache_is_idle(cache))
			continue;
		if (!cache_holds_objects(cache) &&
		    !load_relaxed(&cache->used_size))
			continue;
		/* Keeps the lease till its deadline, so that the successor
		 * fences: this one's fence may be what failed. */
		if (!cache_drain(&d, id, cache))
			return d.nr_objects;
	}
	lease_drop(&d);
	return d.nr_objects;
}

size_t drain_caches(struct rseq_area *self, bool idle_only)
{
	return drain_all(self, idle_only, false);
}

size_t drain_caches_urgent(struct rseq_area *self)
{
	return drain_all(self, false, true);
}

bool drain_finds_any(void)
{
	unsigned id, end = cpu_cache_nr_ids();
	struct cpu_cache *cache;

	for (id = 0; may_drain() && id < end; id++) {
		cache = cpu_cache_of(id);
		if (cache && cache_holds_objects(cache))
			return true;
	}
	return false;
}

uint64_t drain_count(void)
{
	return load_relaxed(&nr_drains);
}
