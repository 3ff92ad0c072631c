/* layer 2.8: guard: an inaccessible page at the end of a unit; see guard.h */
#include "pageheap/guard.h"

#include "system/config.h"
#include "system/system.h"

static char *guard_page(const struct region *region, uint32_t unit)
{
	return region_addr(region, unit + 1) - system_page_size();
}

static bool guard_drop(struct region *region, uint32_t unit)
{
	bool all = config.large_guard == LARGE_GUARD_ALL;

	if (system_unguard(guard_page(region, unit), system_page_size(), all))
		return false;
	// held
	and_relaxed(&region->guards[unit / HUGEPAGE_UNITS],
		    ~bits_one(unit % HUGEPAGE_UNITS));
	return true;
}

bool guard_clear(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t end = unit + n, stop;
	uint64_t guards;

	for (; unit < end; unit = stop) {
		stop = (uint32_t)min_size(
			end, round_down(unit, HUGEPAGE_UNITS) + HUGEPAGE_UNITS);
		guards = load_relaxed(
			&region->guards[unit / HUGEPAGE_UNITS]); // held
		guards &= bits_range(unit % HUGEPAGE_UNITS, stop - unit);
		for (; guards; guards &= guards - 1)
			if (!guard_drop(region,
					round_down(unit, HUGEPAGE_UNITS) +
						bits_first(guards)))
				return false;
	}
	return true;
}

bool guard_set(struct region *region, uint32_t unit)
{
	bool all = config.large_guard == LARGE_GUARD_ALL;

	/* Such a page would reach into the unit below. */
	if (system_page_size() > UNIT_SIZE)
		return false;
	if (guard_is_set(region, unit))
		return true;
	if (system_guard(guard_page(region, unit), system_page_size(), all))
		return false;
	// held
	or_relaxed(&region->guards[unit / HUGEPAGE_UNITS],
		   bits_one(unit % HUGEPAGE_UNITS));
	return true;
}

size_t guard_size(const struct region *region, uint32_t unit)
{
	return guard_is_set(region, unit) ? system_page_size() : 0;
}
