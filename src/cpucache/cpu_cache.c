/* layer 4.3: CPU cache: refill and flush; contract in cpu_cache.h */
#include "cpucache/cpu_cache.h"

#include "cpucache/capacity.h"
#include "cpucache/shuffle.h"
#include "slab/bin.h"
#include "system/config.h"
#include "system/fault.h"
#include "system/nodes.h"

static void lane_refill(unsigned id, unsigned size_class, void **objects,
			unsigned n)
{
	struct lane_offset lane = class_lane(&size_classes[size_class]);
	int pushed = 0;

	if (n)
		pushed = percpu_push_batch(lane, objects, n);
	if (pushed < 0)
		pushed = percpu_push_batch(lane, objects, n);
	if (pushed < 0)
		pushed = 0;
	bin_give(id, objects + pushed, n - (unsigned)pushed);
}

/* Says how many objects to take: one for the caller, and what the lane may
 * hold. */
static unsigned refill_size(unsigned id, unsigned size_class)
{
	uint64_t limit = lane_limit(areas_lane(id, size_class));

	return (unsigned)min_size(size_classes[size_class].batch, limit + 1);
}

/* A lane gives what was pushed last: so who allocates many in a row gets them
 * by address, as slabs give them. */
static void reverse(void **objects, unsigned n)
{
	unsigned i;
	void *other;

	for (i = 0; i < n / 2; i++) {
		other = objects[i];
		objects[i] = objects[n - 1 - i];
		objects[n - 1 - i] = other;
	}
}

void *cpu_cache_alloc_slow(unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	unsigned id = rseq_current_id(), n;
	struct cpu_cache *cache = &cpu_caches[id];
	void *objects[BATCH_MOST];

	objects[0] = percpu_pop(class_lane(c));
	if (objects[0]) {
		add_relaxed(&cache->nr_aborts, 1);
		return objects[0];
	}
	if (!areas_install(id, cache))
		return cpu_cache_alloc_direct(size_class);
	capacity_miss(id, cache, size_class);
	n = bin_take(id, size_class, objects, refill_size(id, size_class));
	if (!n)
		return NULL;
	if (unlikely(config.hardened))
		shuffle(objects, n);
	else
		reverse(objects, n - 1);
	capacity_note_refill(cache, size_class);
	/* The last one, so that the first objects of all classes' slabs, which
	 * begin at multiples of units, do not meet in one cache set. */
	lane_refill(id, size_class, objects, n - 1);
	return objects[n - 1];
}

/* Takes a batch off the top of a lane that was full for `object`; how many.
 * Tries once more after an abort. */
static int batch_take(const struct size_class *c, void **objects,
		      const void *object)
{
	int n = percpu_pop_batch(class_lane(c), objects, c->batch);

	if (n < 0)
		n = percpu_pop_batch(class_lane(c), objects, c->batch);
	if (unlikely(n > 0 && objects[n - 1] == object))
		fault("free of %p: already free", object);
	return n;
}

void cpu_cache_free_slow(void *object, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	unsigned id = rseq_current_id();
	struct cpu_cache *cache = &cpu_caches[id];
	void *objects[BATCH_MOST];
	int n;

	if (percpu_push(class_lane(c), object)) {
		add_relaxed(&cache->nr_aborts, 1);
		return;
	}
	if (!areas_install(id, cache)) {
		cpu_cache_free_direct(object);
		return;
	}
	if (capacity_overflow(id, cache, size_class) &&
	    percpu_push(class_lane(c), object))
		return;
	n = batch_take(c, objects, object);
	if (n > 0) {
		capacity_note_flush(id, cache, size_class);
		bin_give(id, objects, (unsigned)n);
	}
	if (!percpu_push(class_lane(c), object))
		bin_give(id, &object, 1);
}

/* Makes room in a remote lane that took no more, or is not there yet. */
static cold enum remote_free remote_flush(void *object, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	unsigned id = rseq_current_id();
	struct cpu_cache *cache = &cpu_caches[id];
	void *objects[BATCH_MOST];
	int n;

	if (!areas_install(id, cache))
		return REMOTE_REFUSED;
	if (capacity_go_home(id, cache, size_class) &&
	    percpu_push(class_lane(c), object))
		return REMOTE_LANE;
	n = batch_take(c, objects, object);
	if (n > 0) {
		add_relaxed(&cache->nr_flushes, 1);
		bin_give(id, objects, (unsigned)n);
	}
	if (!percpu_push(class_lane(c), object))
		bin_give(id, &object, 1);
	return REMOTE_FLUSHED;
}

enum remote_free cpu_cache_free_remote(void *object, unsigned size_class)
{
	unsigned remote = REMOTE_LANES + size_class;
	struct lane_offset lane = { remote * LANE_WORDS };

	/* Freed twice, and its slab is gone since the caller's look. */
	if (unlikely(size_class - 1 >= NR_CLASSES - 1))
		return REMOTE_REFUSED;
	/* Once more after an abort. */
	if (likely(percpu_push(lane, object)) || percpu_push(lane, object))
		return REMOTE_LANE;
	return remote_flush(object, remote);
}

enum remote_free cpu_cache_free_by_node(void *object, unsigned size_class,
					unsigned owner)
{
	unsigned id = rseq_current_id();
	bool far = nodes_differ(node_of_id(id), node_of_id(owner));
	struct lane_offset lane = {
		(far ? FAR_LANE : size_class) * LANE_WORDS,
	};

	if (unlikely(size_class - 1 >= NR_CLASSES - 1))
		return REMOTE_REFUSED;
	if (far && size_classes[size_class].size > FAR_SIZE_MOST) {
		bin_give(id, &object, 1);
		return REMOTE_FLUSHED;
	}
	/* Once more after an abort. */
	if (likely(percpu_push(lane, object)) || percpu_push(lane, object))
		return REMOTE_LANE;
	return far ? remote_flush(object, FAR_LANE) : REMOTE_REFUSED;
}

void *cpu_cache_alloc_direct(unsigned size_class)
{
	unsigned id = rseq_current_id();
	void *object;

	add_relaxed(&cpu_caches[id].nr_direct, 1);
	return bin_take(id, size_class, &object, 1) ? object : NULL;
}

void cpu_cache_free_direct(void *object)
{
	unsigned id = rseq_current_id();

	add_relaxed(&cpu_caches[id].nr_direct, 1);
	bin_give(id, &object, 1);
}

void cpu_cache_flush_own(void)
{
	void *objects[BATCH_MOST];
	unsigned size_class;
	int n, rounds;

	for (size_class = 1; size_class < NR_LANES; size_class++) {
		const struct size_class *c = &size_classes[size_class];

		/* Bounded: other threads of this CPU may refill meanwhile. */
		rounds = 2 + (int)(c->lane_slots / max_size(c->batch, 1));
		while (rounds--) {
			n = percpu_pop_batch(class_lane(c), objects, c->batch);
			if (!n)
				break;
			if (n > 0)
				bin_give(rseq_current_id(), objects,
					 (unsigned)n);
		}
	}
}

/* Of the objects in remote lanes the class is that of the lane beside. */
static uint64_t area_cached_size(char *area, uint64_t *nr_cached)
{
	uint64_t size = 0, nr;
	unsigned size_class;

	for (size_class = 1; size_class < NR_LANES; size_class++) {
		nr = lane_nr(cpu_cache_lane(area, size_class));
		size += size_classes[size_class].size * nr;
		if (nr_cached && size_class < NR_CLASSES)
			nr_cached[size_class] += nr;
		else if (nr_cached && size_class - REMOTE_LANES < NR_CLASSES)
			nr_cached[size_class - REMOTE_LANES] += nr;
	}
	return size;
}

/* Direct mode hashes threads to the first nr_cpus ids. */
unsigned cpu_cache_ids_end(void)
{
	return (unsigned)max_size(cpu_cache_nr_ids(), rseq_state.nr_cpus);
}

void cpu_cache_add_stats(unsigned id, struct cpu_cache_stats *out,
			 uint64_t *nr_cached)
{
	struct cpu_cache *cache = &cpu_caches[id];

	out->nr_refills += load_relaxed(&cache->nr_refills);
	out->nr_flushes += load_relaxed(&cache->nr_flushes);
	out->nr_aborts += load_relaxed(&cache->nr_aborts);
	out->nr_direct += load_relaxed(&cache->nr_direct);
	if (!load_relaxed(&cache->areas)) // hint
		return;
	out->nr_cpu_caches++;
	out->cached_size +=
		area_cached_size(cpu_cache_area(cache, 0), nr_cached) +
		area_cached_size(cpu_cache_area(cache, 1), nr_cached);
}

void cpu_cache_stats(struct cpu_cache_stats *out)
{
	unsigned id, end = cpu_cache_ids_end();

	*out = (struct cpu_cache_stats){ 0 };
	for (id = 0; id < end; id++)
		cpu_cache_add_stats(id, out, NULL);
}
