/* layer 2.8: guard_page: an inaccessible page at the end of a unit; see
 * guard_page.h */
#include "pageheap/guard_page.h"

#include "system/config.h"
#include "system/system.h"

static char *guard_page_at(const struct region *region, uint32_t unit)
{
	return region_addr(region, unit + 1) - system_page_size();
}

static bool guard_page_drop(struct region *region, uint32_t unit)
{
	bool all = config.large_guard == LARGE_GUARD_ALL;

	if (system_unguard(guard_page_at(region, unit), system_page_size(),
			   all))
		return false;
	// held
	and_relaxed(&region->guards[unit / HUGEPAGE_UNITS],
		    ~bits_one(unit % HUGEPAGE_UNITS));
	return true;
}

bool guard_page_clear(struct region *region, uint32_t unit, uint32_t n)
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
			if (!guard_page_drop(region,
					     round_down(unit, HUGEPAGE_UNITS) +
						     bits_first(guards)))
				return false;
	}
	return true;
}

bool guard_page_set(struct region *region, uint32_t unit)
{
	bool all = config.large_guard == LARGE_GUARD_ALL;

	/* Such a page would reach into the unit below. */
	if (system_page_size() > UNIT_SIZE)
		return false;
	if (guard_page_is_set(region, unit))
		return true;
	if (system_guard(guard_page_at(region, unit), system_page_size(), all))
		return false;
	// held
	or_relaxed(&region->guards[unit / HUGEPAGE_UNITS],
		   bits_one(unit % HUGEPAGE_UNITS));
	return true;
}

size_t guard_page_size(const struct region *region, uint32_t unit)
{
	return guard_page_is_set(region, unit) ? system_page_size() : 0;
}
