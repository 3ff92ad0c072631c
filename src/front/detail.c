/* layer 5.11: detail: statistics of each class and of each CPU; contract in
 * detail.h */
#include "front/detail.h"

#include "base/bits.h"
#include "cpucache/cpu_cache.h"
#include "front/start.h"
#include "front/walk.h"
#include "pageheap/region.h"
#include "system/place.h"
#include "system/system.h"

_Static_assert(LANEMALLOC_SHARES == WALK_SHARES, "as the walk has them");

#define WALKED_SIZE (NR_CLASSES * sizeof(struct walk_class))
#define DETAIL_SIZE (WALKED_SIZE + NR_CLASSES * sizeof(uint64_t))

bool detail_open(struct detail *detail)
{
	char *memory = heap_start() ? place_map(DETAIL_SIZE) : NULL;
	struct cpu_cache_stats sums = { 0 };
	unsigned id, end = cpu_cache_ids_end();
	struct walk walk = { 0 };

	if (!memory)
		return false;
	detail->walked = walk.classes = (void *)memory;
	detail->nr_cached = (void *)(memory + WALKED_SIZE);
	for (id = 0; id < end; id++)
		cpu_cache_add_stats(id, &sums, detail->nr_cached);
	walk_heap(&walk);
	return true;
}

void detail_close(struct detail *detail)
{
	system_unmap(detail->walked, round_up(DETAIL_SIZE, system_page_size()));
}

void detail_class(const struct detail *detail, unsigned i,
		  struct lanemalloc_class_stats *out)
{
	const struct size_class *c = &size_classes[i + 1];
	const struct walk_class *w = &detail->walked[i + 1];
	uint64_t held = w->nr_objects - min_size(w->nr_free, w->nr_objects);

	*out = (struct lanemalloc_class_stats){
		.size = c->size,
		.slab_size = c->nr_units * UNIT_SIZE,
		.slab_objects = c->nr_objects,
		.nr_slabs = w->nr_slabs,
		.nr_cached = min_size(detail->nr_cached[i + 1], held),
		.nr_free = min_size(w->nr_free, w->nr_objects),
	};
	out->nr_live = held - out->nr_cached;
	__builtin_memcpy(out->nr_slabs_by_share, w->nr_by_share,
			 sizeof(w->nr_by_share));
}

static bool cpu_served(const struct cpu_cache_stats *s)
{
	return s->nr_cpu_caches || s->nr_refills || s->nr_flushes ||
	       s->nr_direct;
}

bool detail_cpu(unsigned *id, struct lanemalloc_cpu_stats *out)
{
	unsigned end = cpu_cache_ids_end();

	for (; *id < end; ++*id) {
		struct cpu_cache_stats s = { 0 };

		cpu_cache_add_stats(*id, &s, NULL);
		if (!cpu_served(&s))
			continue;
		*out = (struct lanemalloc_cpu_stats){
			.number = (*id)++,
			.cached_size = s.cached_size,
			.nr_refills = s.nr_refills,
			.nr_flushes = s.nr_flushes,
			.nr_aborts = s.nr_aborts,
			.nr_direct = s.nr_direct,
		};
		return true;
	}
	return false;
}
