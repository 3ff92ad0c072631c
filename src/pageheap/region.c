/* layer 2.1: region: the table, and the region that an address lies in
 *
 * Reads slots that are ready, whose fields are const, and writes nothing: a
 * thread that dies here leaves nothing behind. A slot that somebody publishes
 * meanwhile is seen or is not; who holds an address of it has been told it
 * after that. Wait-free.
 */
#include "pageheap/region.h"

struct region regions[NR_REGIONS_MOST];

struct region *region_next(struct region *region)
{
	while (region < regions + NR_REGIONS_MOST) {
		if (region_is_ready(region))
			return region;
		// hint: slots fill in order
		if (load_relaxed(&region->state) == REGION_NONE)
			return NULL;
		region++;
	}
	return NULL;
}

struct region *region_of_slow(const void *addr)
{
	struct region *region = region_next(regions);

	for (; region; region = region_next(region + 1)) {
		if ((size_t)addr - (size_t)region->base < region_size(region))
			return region;
	}
	return NULL;
}

struct region *region_of_span_slow(const struct span *span)
{
	struct region *region = region_next(regions);
	size_t nr_units;

	for (; region; region = region_next(region + 1)) {
		nr_units = load_relaxed(&region->nr_units); // const
		if ((size_t)span - (size_t)region->spans <
		    nr_units * sizeof(*span))
			return region;
	}
	return NULL;
}
