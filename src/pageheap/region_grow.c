/* layer 2.5: region_grow: more of a region becomes usable */
#include "pageheap/region_grow.h"

#include <errno.h>

#include "pageheap/anchor.h"
#include "pageheap/hugepages.h"
#include "system/colours.h"
#include "system/nodes.h"
#include "system/place.h"
#include "system/system.h"

#define GROW_LEAST ((uint32_t)((8 << 20) / UNIT_SIZE))
#define GROW_SHIFT 3 /* an eighth of what there is */
#define GROW_TRIES 64

/* Arrays over units, quantum by quantum */

/* Maps one array's part of [from, to). Mapped already is as good; of a range
 * that is mapped in part, only where the caller asks for one quantum, since
 * others map whole quanta. */
static int region_map_array(void *array, size_t each, uint32_t from,
			    uint32_t to)
{
	char *at = (char *)array + from * each;
	size_t size = (to - from) * each;
	int result = place_map_at(at, size);

	if (!result)
		system_hugepages(at, size, false);
	if (result == -EEXIST && system_is_mapped(at, size))
		return 0;
	return result;
}

static int region_map_arrays(struct region *region, uint32_t from, uint32_t to)
{
	size_t bits = UNIT_BITS_WORDS * sizeof(uint64_t);
	int result;

	result = region_map_array(region->tags, sizeof(struct unit_tag), from,
				  to);
	if (!result)
		result = region_map_array(region->spans, sizeof(struct span),
					  from, to);
	if (!result)
		result = region_map_array(region->bits, bits, from, to);
	return result;
}

void region_raise(_Atomic(uint32_t) *bound, uint32_t to)
{
	uint32_t old = load_relaxed(bound); // hint

	while (old < to) {
		// [region.nr_committed] with region_cover(): the arrays below
		// are usable
		if (cas_release(bound, &old, to))
			return;
	}
}

/* Makes the arrays of all units below `end` usable. */
static bool region_cover(struct region *region, uint32_t end)
{
	// [region.nr_committed] with region_raise(): the arrays are usable
	uint32_t from = load_acquire(&region->nr_committed), to;
	int result;

	if (likely(end <= from))
		return true;
	to = (uint32_t)round_up(end, REGION_QUANTUM);
	result = region_map_arrays(region, from, to);
	for (; result == -EEXIST && from < to; from += REGION_QUANTUM) {
		/* Another thread has mapped a part of it. */
		if (region_map_arrays(region, from, from + REGION_QUANTUM))
			return false;
	}
	if (result && from < to)
		return false;
	region_raise(&region->nr_committed, to);
	if (region == &regions[0])
		anchor_commit(to);
	return true;
}

/* Growth */

/* Returns a step in whole hugepages; a small one while other growers are at
 * work, so that many threads that miss at once do not each take an eighth of
 * the heap. */
static uint32_t region_step(struct region *region, uint32_t from, uint32_t need)
{
	uint32_t step = GROW_LEAST, left;

	if (load_relaxed(&region->nr_growers) <= 1)
		step = (uint32_t)max_size(step, from >> GROW_SHIFT);
	step = (uint32_t)round_up(max_size(step, need), HUGEPAGE_UNITS);
	left = load_relaxed(&region->nr_units) - from; // const
	return (uint32_t)min_size(step, left);
}

/* Gives back units that a grower claimed and could not map. */
static void region_unclaim(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n;
	uint64_t none;
	unsigned i;

	// own: addresses only
	if (!n || cas_relaxed(&region->nr_taken, &end, unit))
		return;
	for (i = 0; i < NR_SPARES; i++) {
		none = 0;
		// own: addresses only
		if (cas_relaxed(&region->spare[i], &none,
				(uint64_t)unit << 32 | n))
			return;
	}
}

static bool region_claim_spare(struct region *region, uint32_t need,
			       uint32_t *unit, uint32_t *n)
{
	uint64_t spare;
	unsigned i;

	for (i = 0; i < NR_SPARES; i++) {
		spare = load_relaxed(&region->spare[i]); // own: addresses only
		if ((uint32_t)spare < need)
			continue;
		// own: the winner alone has them
		if (!cas_relaxed(&region->spare[i], &spare, 0))
			continue;
		*unit = (uint32_t)(spare >> 32);
		*n = (uint32_t)spare;
		return true;
	}
	return false;
}

/* Claims from *unit on where that is what comes next, with `exact`; else from
 * where the others came to. */
static bool region_claim(struct region *region, bool exact, uint32_t need,
			 uint32_t *unit, uint32_t *n)
{
	uint32_t at = load_relaxed(&region->nr_taken); // own: addresses only

	do {
		if (exact && at != *unit)
			return false;
		*n = region_step(region, at, need);
		if (*n < need)
			return false;
		// own: the winner alone has them
	} while (!cas_relaxed(&region->nr_taken, &at, at + *n));
	*unit = at;
	return true;
}

/* Maps the data first: what is refused then leaves no arrays behind that count
 * against a limit. */
static int region_map_units(struct region *region, uint32_t unit, uint32_t n)
{
	char *addr = region_addr(region, unit);
	size_t size = (size_t)n << UNIT_SHIFT;
	int result = place_map_at(addr, size);

	if (!result)
		colours_cover(addr, size);
	if (result || region_cover(region, unit + n))
		return result;
	system_unmap(addr, size);
	return -ENOMEM;
}

/* Maps claimed units, all of them or as many as are needed: 0, *n. What is not
 * mapped is claimed no more, but where somebody else's memory is. */
static int region_map(struct region *region, uint32_t unit, uint32_t need,
		      uint32_t *n)
{
	uint32_t all = *n, some;
	int result = region_map_units(region, unit, all);

	some = (uint32_t)min_size(round_up(need, HUGEPAGE_UNITS), all);
	if (result && result != -EEXIST && some < all) {
		result = region_map_units(region, unit, some);
		*n = some;
	}
	if (result && result != -EEXIST)
		region_unclaim(region, unit, all);
	else if (*n < all)
		region_unclaim(region, unit + *n, all - *n);
	return result;
}

static _Atomic(uint32_t) refused; /* atomic: hint, the last growth was */

bool region_growth_is_refused(void)
{
	return load_relaxed(&refused);
}

static bool region_claim_mapped(struct region *region, bool exact,
				uint32_t need, uint32_t *unit, uint32_t *n)
{
	int result = -EEXIST;
	unsigned i;

	for (i = 0; i < GROW_TRIES && result == -EEXIST; i++) {
		if ((exact || !region_claim_spare(region, need, unit, n)) &&
		    !region_claim(region, exact, need, unit, n))
			return false;
		result = region_map(region, *unit, need, n);
	}
	store_relaxed(&refused, result && result != -EEXIST);
	if (result)
		return false;
	add_relaxed(&region->nr_mapped, *n);
	hugepages_advise(region, *unit, *unit + *n);
	nodes_interleave(region_addr(region, *unit), (size_t)*n << UNIT_SHIFT);
	return true;
}

bool region_grow(struct region *region, uint32_t need, uint32_t *unit,
		 uint32_t *n)
{
	bool grown;

	add_relaxed(&region->nr_growers, 1);
	grown = region_claim_mapped(region, false, need, unit, n);
	store_relaxed(&region->nr_growers, 0);
	return grown;
}

bool region_grow_at(struct region *region, uint32_t unit, uint32_t need,
		    uint32_t *n)
{
	return region_claim_mapped(region, true, need, &unit, n);
}
