/* layer 4.4: cached: whether an object lies in a lane; contract in cached.h */
#include "cpucache/cached.h"

#include "cpucache/cpu_cache.h"

/* Returns a slot that holds the object; NULL: none does. */
static void *volatile *lane_find(const struct lane *lane, const void *object)
{
	uint64_t n = lane_nr(lane);

	while (n--)
		if (((void *volatile *)lane->slots)[n] == object)
			return &((void *volatile *)lane->slots)[n];
	return NULL;
}

static bool lane_holds(const struct lane *lane, const void *object)
{
	void *volatile *slot = lane_find(lane, object);

	if (likely(!slot))
		return false;
	if (rseq_state.fence)
		rseq_fence();
	return *slot == object;
}

static bool area_holds(char *area, const void *object, unsigned size_class)
{
	return lane_holds(cpu_cache_lane(area, size_class), object) ||
	       lane_holds(cpu_cache_lane(area, REMOTE_LANES + size_class),
			  object) ||
	       lane_holds(cpu_cache_lane(area, FAR_LANE), object);
}

bool cached_finds(const void *object, unsigned size_class)
{
	unsigned id, end = cpu_cache_nr_ids();
	struct cpu_cache *cache;

	for (id = 0; id < end; id++) {
		cache = cpu_cache_of(id);
		if (!cache)
			continue;
		if (area_holds(cpu_cache_area(cache, 0), object, size_class) ||
		    area_holds(cpu_cache_area(cache, 1), object, size_class))
			return true;
	}
	return false;
}
