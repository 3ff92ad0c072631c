/* What the tests of lanes share: the calling CPU's, from its first miss on, and
 * blocks that are held. Includes the modules themselves. */
#ifndef LANE_LANE_FIXTURE_H
#define LANE_LANE_FIXTURE_H

#include "heap_fixture.h"
#include "surely.h"
#include "system/place.h"

/* Areas that cannot be had: as if the system had no memory. */
static bool no_areas;

static void *areas_or_none(size_t size)
{
	return no_areas ? NULL : place_map(size);
}

#define place_map areas_or_none
#include "cpucache/areas.c"
#include "cpucache/capacity.c"
#include "cpucache/cpu_cache.c"

#define CLASS SIZE_CLASS_256
#define CLASS_SIZE 256u
#define BATCH 128u
#define SLOTS 4096u
#define MOST 8192

static void *held[MOST];
static unsigned nr_held;
static struct cpu_cache *own(void)
{
	return &cpu_caches[rseq_current_id()];
}

static struct lane *own_lane(unsigned size_class)
{
	return areas_lane(rseq_current_id(), size_class);
}

static uint64_t limit_of(unsigned size_class)
{
	return lane_limit(own_lane(size_class));
}

static uint64_t count_of(unsigned size_class)
{
	return lane_nr(own_lane(size_class));
}

static uint64_t used_now(void)
{
	return load_relaxed(&own()->used_size); // own
}

static uint64_t sum_of_limits(void)
{
	uint64_t sum = 0;

	for (unsigned size_class = 1; size_class <= FAR_LANE; size_class++)
		sum += size_classes[size_class].size * limit_of(size_class);
	return sum;
}

static void hold(void *object)
{
	assert_non_null(object);
	assert_true(nr_held < MOST);
	held[nr_held++] = object;
}

static void hold_lane(unsigned size_class)
{
	void *object;

	while ((object = percpu_pop(class_lane(&size_classes[size_class]))))
		hold(object);
}

/* A miss: the lane is empty when the slow path is asked. */
static void miss(unsigned size_class)
{
	if (load_relaxed(cpu_cache_table_word(rseq_current_id()))) // own
		hold_lane(size_class);
	hold(cpu_cache_alloc_slow(size_class));
}

static void give_held(void)
{
	while (nr_held)
		cpu_cache_free_direct(held[--nr_held]);
}

/* The calling CPU's id as if it had never missed. */
static void forget_id(void)
{
	unsigned id = rseq_current_id();
	char *areas = load_relaxed(&cpu_caches[id].areas); // own

	cpu_cache_flush_own();
	capacity_forget(&cpu_caches[id]);
	store_relaxed(cpu_cache_table_word(id), 0); // own
	memset(&cpu_caches[id], 0, sizeof(cpu_caches[id]));
	if (areas)
		system_unmap(areas, 2 * area_size());
}

FIXTURE(fresh)
{
	no_areas = false;
	config.cpu_cache = 2 * MIB;
	if (has_lanes())
		forget_id();
}

FIXTURE(done)
{
	give_held();
	cpu_cache_flush_own();
	all_is_free();
}

/* So many flushes are to be answered by misses. */
static void owe(unsigned size_class, unsigned nr)
{
	store_relaxed(&own()->nr_owed[size_class], (uint16_t)nr); // own
}

#endif
