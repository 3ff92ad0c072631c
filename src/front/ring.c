/* layer 5.1: ring: small freed blocks wait; contract in ring.h */
#include "front/ring.h"

#include "cpucache/rseq.h"
#include "slab/page_map.h"
#include "system/config.h"
#include "system/place.h"
#include "system/sandbox.h"
#include "system/system.h"

#define CPUS_LEAST 16

_Atomic(uint64_t) ring_areas[NR_IDS_MOST];
static _Atomic(uint32_t) nr_ids;     /* atomic: hint, the highest id + 1 */
static _Atomic(uint32_t) nr_areas;   /* atomic: counter */
static _Atomic(uint32_t) nr_refused; /* atomic: hint, see area_map() */

static size_t group_size(unsigned group)
{
	return (size_t)RING_SIZE_LEAST << (RING_SIZE_SHIFT * group);
}

/* Counts the areas that there may be. */
static size_t nr_areas_most(void)
{
	return max_size(rseq_state.nr_cpus,
			config_checks_full() ? 1 : CPUS_LEAST);
}

static size_t group_places(unsigned group)
{
	size_t share = config.quarantine / NR_RINGS / nr_areas_most();
	size_t n = share / group_size(group);

	if (!n)
		return 1;
	return (size_t)bits_one(bits_last(min_size(n, RING_PLACES_MOST)));
}

static size_t area_places(const struct ring *rings)
{
	size_t n = 0;
	unsigned i;

	for (i = 0; i < NR_RINGS; i++)
		n += rings[i].nr_places;
	return n;
}

/* Returns the bytes of the rings, whose slots follow when there is memory. */
static size_t area_plan(struct ring *rings)
{
	unsigned i;

	for (i = 0; i < NR_RINGS; i++) {
		rings[i] = (struct ring){ .nr_places = group_places(i) };
		rings[i].mask = (rings[i].nr_places - 1) * sizeof(void *);
	}
	return NR_RINGS * sizeof(*rings) + area_places(rings) * sizeof(void *);
}

static void area_begin(struct ring *rings, const struct ring *plan)
{
	void **slots = (void **)(rings + NR_RINGS);
	unsigned i;

	for (i = 0; i < NR_RINGS; i++) {
		rings[i] = plan[i];
		rings[i].slots = slots;
		slots += rings[i].nr_places;
	}
}

/* Where there is no memory for rings, the system is not asked at every free. */
static void *area_map(size_t size)
{
	void *mine = NULL;

	if (load_relaxed(&nr_refused) % RING_REFUSED_PASSES == 0)
		mine = place_map(size);
	if (!mine)
		add_relaxed(&nr_refused, 1);
	return mine;
}

/* Makes an area that is counted. False: there is no memory for it, or another
 * made it. */
static bool area_make(unsigned id)
{
	uint64_t none = RING_NONE;
	struct ring plan[NR_RINGS];
	size_t size = area_plan(plan);
	void *mine = area_map(size);

	if (!mine)
		return false;
	area_begin(mine, plan);
	raise_relaxed(&nr_ids, id + 1);
	/* Sections read the word and then the area by address dependency. */
	// [ring.area] with ring_take() and area_look(): the rings' words
	if (cas_release(&ring_areas[id], &none, (uintptr_t)mine))
		return true;
	system_unmap(mine, size);
	return false;
}

bool ring_make(unsigned id)
{
	uint64_t found = load_relaxed(&ring_areas[id]); // hint

	if (found != RING_NONE)
		return found != RING_OUT;
	if (load_relaxed(&nr_areas) >= nr_areas_most())
		return false;
	if (add_relaxed(&nr_areas, 1) < nr_areas_most() && area_make(id))
		return true;
	sub_relaxed(&nr_areas, 1);
	return load_relaxed(&ring_areas[id]) > RING_OUT; // hint
}

unsigned ring_ids_end(void)
{
	return load_relaxed(&nr_ids);
}

struct ring *ring_take(unsigned id)
{
	uint64_t found = load_relaxed(&ring_areas[id]); // hint

	if (found <= RING_OUT || !rseq_state.fence || sandbox_known())
		return NULL;
	// [ring.area] with ring_make() and ring_give_back(): the rings' words
	if (!cas_acquire(&ring_areas[id], &found, RING_OUT))
		return NULL;
	if (rseq_fence())
		return (void *)(uintptr_t)found;
	ring_give_back(id, (void *)(uintptr_t)found);
	return NULL;
}

/* All slots lie side by side, behind the rings. No page is touched of those
 * that nothing came to yet: who empties rings wants memory. */
bool ring_empty(struct ring *rings, size_t i, void **block)
{
	if (i >= area_places(rings))
		return false;
	*block = rings->slots[i];
	if (*block)
		rings->slots[i] = NULL;
	return true;
}

void ring_give_back(unsigned id, struct ring *rings)
{
	// [ring.area] with ring_take() and area_look(): the slots
	store_release(&ring_areas[id], (uintptr_t)rings);
}

static const struct ring *area_look(unsigned id)
{
	// [ring.area] with ring_make() and ring_give_back(): the slots
	uint64_t found = load_acquire(&ring_areas[id]);

	return found > RING_OUT ? (void *)(uintptr_t)found : NULL;
}

static size_t area_waiting_size(const struct ring *rings)
{
	size_t size = 0, i, n = area_places(rings);
	struct block block;
	const void *at;

	for (i = 0; i < n; i++) {
		at = load_once(&rings->slots[i]);
		if (at && page_map_look(at, &block))
			size += block.size;
	}
	return size;
}

size_t ring_size(void)
{
	unsigned id, end = ring_ids_end();
	const struct ring *rings;
	size_t size = 0;

	for (id = 0; id < end; id++)
		if ((rings = area_look(id)))
			size += area_waiting_size(rings);
	return size;
}

static bool area_has(const struct ring *rings, const void *block)
{
	size_t i, n = area_places(rings);

	for (i = 0; i < n; i++)
		if (load_once(&rings->slots[i]) == block)
			return true;
	return false;
}

bool ring_has(const void *block)
{
	unsigned id, end = ring_ids_end();
	const struct ring *rings;

	for (id = 0; id < end; id++)
		if ((rings = area_look(id)) && area_has(rings, block))
			return true;
	return false;
}
