/* remains: what the heap still has when all is freed */
#include "sweep.h"

#include "base/bits.h"
#include "pageheap/region.h"

/* Units of all regions that are not free, by the page heap's own words. */
static uint64_t claimed_size(void)
{
	struct region *all = text_symbol("regions");
	uint64_t units = 0;
	uint32_t word;
	unsigned i, l;

	for (i = 0; all && i < NR_REGIONS_MOST; i++) {
		struct region *r = &all[i];

		if (!region_is_ready(r))
			continue;
		units += load_relaxed(&r->nr_mapped); // quiet
		for (l = 0; l < NR_LEVELS; l++)
			for (word = 0; word < r->levels[l].nr_words; word++)
				units -= (uint64_t)bits_count(load_relaxed(
						 &r->levels[l].words[word]))
					 << 6 * l; // quiet
	}
	return units << UNIT_SHIFT;
}

void child_check_heap(void)
{
	load_verify_warm();
	load_free_all();
	load_purge();
	load_purge();
	if (load_live_size(&cell->live_size))
		cell->claimed_size = claimed_size();
}
