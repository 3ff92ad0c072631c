/* layer 2.4: hugepages: when the heap asks for them; contract in hugepages.h */
#include "pageheap/hugepages.h"

#include "base/bits.h"
#include "system/config.h"
#include "system/system.h"

/* From here on hugepage=auto: what one hugepage wastes is little beside it. */
#define AUTO_FROM_UNITS ((uint32_t)((64 << 20) / UNIT_SIZE))
#define SMALL_TOUCHES 4
#define HUGEPAGE_WORTH 256 /* small ones: half of what it holds */

struct hugepages hugepages;

static uint64_t quickest_small_ns(char *addr)
{
	uint64_t least = UINT64_MAX;
	unsigned i;

	for (i = 0; i < SMALL_TOUCHES; i++, addr += system_page_size())
		least = min_size(least, system_touch_ns(addr));
	return least;
}

/* The last hugepage gives the small pages, the first one is tried. */
static bool come_quickly(char *addr, size_t size)
{
	uint64_t small, huge;

	small = quickest_small_ns(addr + size - HUGEPAGE_SIZE);
	if (system_hugepages(addr, size, true))
		return false;
	huge = system_touch_ns(addr);
	store_relaxed(&hugepages.small_ns, small); // hint
	store_relaxed(&hugepages.huge_ns, huge);   // hint
	return huge <= small * HUGEPAGE_WORTH;
}

static void advise_measured(char *addr, size_t size)
{
	if (size < 2 * HUGEPAGE_SIZE)
		return;
	if (come_quickly(addr, size))
		add_relaxed(&hugepages.advised_size, size); // counter
	else
		system_hugepages(addr, size, false);
}

static void advise_as_told(char *addr, size_t size, bool want)
{
	if (!system_hugepages(addr, size, want) && want)
		add_relaxed(&hugepages.advised_size, size); // counter
}

void hugepages_advise(const struct region *region, uint32_t from, uint32_t to)
{
	bool measured = config.hugepage == HUGEPAGE_AUTO;
	size_t size;

	if (measured)
		from = (uint32_t)max_size(from, AUTO_FROM_UNITS);
	if (config.hugepage == HUGEPAGE_SYSTEM || from >= to)
		return;
	size = (size_t)(to - from) << UNIT_SHIFT;
	if (measured)
		advise_measured(region_addr(region, from), size);
	else
		advise_as_told(region_addr(region, from), size,
			       config.hugepage == HUGEPAGE_ON);
}
