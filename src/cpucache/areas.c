/* layer 4.3: areas: the memory of the lanes of each id; contract in areas.h */
#include "cpucache/areas.h"

#include "cpucache/rseq.h"
#include "pageheap/page_heap.h"
#include "system/nodes.h"
#include "system/place.h"
#include "system/system.h"

#define AREAS_REFUSED_PASSES 64 /* calls for each that asks for memory again */

struct cpu_cache cpu_caches[NR_IDS_MOST];
static _Atomic(uint32_t) nr_ids; /* atomic: hint, the highest id + 1 */

static size_t area_size(void)
{
	return round_up(size_class_area_size() + 8, UNIT_SIZE);
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
	return load_relaxed(&nr_ids);
}

struct cpu_cache *cpu_cache_of(unsigned id)
{
	struct cpu_cache *cache = &cpu_caches[id];

	return load_relaxed(&cache->areas) ? cache : NULL; // hint
}

/* The area's last word is that of its closed lanes. */
void areas_close(char *area)
{
	void **none = (void **)(void *)(area + area_size()) - 1;
	unsigned size_class;

	for (size_class = 1; size_class < NR_LANES; size_class++)
		lane_begin(cpu_cache_lane(area, size_class),
			   (void *)(area + size_classes[size_class].slots),
			   none);
}

/* Closed for ever, by a word behind them that nobody writes. Racers write the
 * same, and so does start-up once more while others read. */
void areas_start(void)
{
	struct lane *lane = (struct lane *)(void *)anchor.base;
	void **none = (void **)(lane + NR_LANES);
	unsigned i;

	for (i = 0; i < NR_LANES; i++)
		lane_begin(&lane[i], none + 1, none);
	store_relaxed(area_count(anchor.base), AREA_COUNT_NONE); // hint
}

/* Maps memory for two areas, of which only what is used becomes resident. Where
 * there is none the system is not asked at every call. */
static char *areas_map(struct cpu_cache *cache)
{
	size_t size = 2 * area_size();
	uint32_t nr = load_relaxed(&cache->nr_refused);
	char *areas;

	if (nr % AREAS_REFUSED_PASSES) {
		add_relaxed(&cache->nr_refused, 1);
		return NULL;
	}
	areas = place_map(size);
	if (areas)
		system_hugepages(areas, size, false);
	else
		add_relaxed(&cache->nr_refused, 1);
	return areas;
}

/* Learns the node of a CPU that was off at start. Between two looks at the same
 * number the thread may have been elsewhere and come back, which costs
 * distance. */
static void node_look(unsigned id)
{
	struct rseq_area *area = rseq_self();
	uint32_t node;

	if (!area || !rseq_state.node_ids || load_once(&area->cpu_id) != id)
		return;
	node = load_once(&area->node_id);
	if (load_once(&area->cpu_id) == id)
		node_learn(id, node);
}

/* Installs empty lane areas for a new id. Of racing threads one wins, the
 * others give theirs back. */
static bool areas_add(unsigned id, struct cpu_cache *cache)
{
	char *areas = areas_map(cache), *none = NULL;

	if (!areas)
		return false;
	if (unlikely(load_relaxed(&nodes_used)))
		node_look(id);
	areas_close(areas);
	areas_close(areas + area_size());
	// before publish
	store_relaxed(area_count(areas), AREA_COUNT_NONE);
	// before publish
	store_relaxed(area_count(areas + area_size()), AREA_COUNT_NONE);
	// [cpu_cache.areas] with cpu_cache_area(): the areas' lanes
	if (!cas_release(&cache->areas, &none, areas))
		system_unmap(areas, 2 * area_size());
	return true;
}

/* The table word goes from 0 to the first area by CAS, before any section or
 * drain can write it; the id counts before, as nobody comes here again behind
 * it. */
bool areas_install(unsigned id, struct cpu_cache *cache)
{
	_Atomic(uint64_t) *word = cpu_cache_table_word(id);
	uint64_t none = 0;

	if (load_relaxed(word)) // hint: it never returns to 0
		return true;
	if (!load_relaxed(&cache->areas) && !areas_add(id, cache)) // hint
		return false;
	raise_relaxed(&nr_ids, id + 1);
	/* Sections read the word and then the area by address dependency. */
	// [cpu_cache.table] with area_of(): the area's lanes
	cas_release(word, &none,
		    (uint64_t)(cpu_cache_area(cache, 0) - anchor.base));
	return true;
}

static char *area_of(unsigned id)
{
	// [cpu_cache.table] with areas_install(): the area's lanes
	return anchor.base + load_acquire(cpu_cache_table_word(id));
}

_Atomic(int64_t) *areas_count(unsigned id)
{
	return area_count(area_of(id));
}

struct lane *areas_lane(unsigned id, unsigned size_class)
{
	return cpu_cache_lane(area_of(id), size_class);
}
