/* layer 4.9: pinned: what the program's blocks keep from going back, by stack;
 * contract in pinned.h */
#include "sample/pinned.h"

#include "base/bits.h"
#include "sample/chance.h"
#include "sample/live.h"
#include "slab/slab.h"
#include "system/config.h"

_Static_assert(NR_REGIONS_MOST <= 1 << LIVE_REGION_BITS, "regions");
_Static_assert(NR_CLASSES <= 1 << LIVE_CLASS_BITS, "classes");

/* Words of the shortest record: of two traces one begins so far behind. */
#define WORDS_LEAST (sizeof(struct trace) / sizeof(uint64_t))

uint64_t pinned_nr(void)
{
	return trace_used_size() / sizeof(struct trace) + 1;
}

/* Whether the entry of the slab's first unit is still that slab's. */
static bool slab_is_there(const struct region *region, uint32_t unit,
			  unsigned size_class)
{
	const struct unit_tag *tag = &region->tags[unit];
	uint32_t start = (uint32_t)(uintptr_t)region_addr(region, unit);

	return *(const volatile uint32_t *)&tag->start == start &&
	       load_once(&tag->magic) >> 16 ==
		       size_classes[size_class].magic >> 16;
}

/* Whether an object of the slab is not free, as far as its bits tell. */
static bool slab_is_used(const struct live_info *info)
{
	struct region *region = &regions[info->region];
	uint32_t unit = (uint32_t)(info->life >> 32);
	const struct span *span;
	struct slab_word word;

	if (!region_is_ready(region) ||
	    // [region.nr_committed] with region_raise(): the tags are readable
	    unit >= load_acquire(&region->nr_committed))
		return false;
	span = &region->spans[unit];
	word = slab_word_unpack(load_relaxed(&span->word)); // hint
	return word.generation == (uint32_t)info->life &&
	       word.size_class == info->size_class &&
	       slab_is_there(region, unit, info->size_class) &&
	       slab_nr_free(span) < size_classes[info->size_class].nr_objects;
}

static uint64_t bytes_pinned(const struct live_info *info)
{
	uint64_t weight = chance_weight(info->size, config.profile_interval);
	uint64_t size = size_classes[info->size_class].nr_units * UNIT_SIZE;

	return (uint64_t)((unsigned __int128)size * weight >> CHANCE_SHIFT);
}

static uint64_t *sum_of(const struct pinned *pinned, uint32_t number)
{
	uint64_t i = number / WORDS_LEAST;

	return i < pinned->nr ? &pinned->sums[i] : NULL;
}

void pinned_gather(struct pinned *pinned)
{
	struct live_info info;
	uint32_t at = 0;
	uint64_t *sum;

	while (live_next(&at, &info)) {
		sum = sum_of(pinned, info.trace);
		if (sum && info.size_class && info.size_class < NR_CLASSES &&
		    info.region < NR_REGIONS_MOST && !slab_is_used(&info))
			*sum += bytes_pinned(&info);
	}
}

uint64_t pinned_of(const struct pinned *pinned, const struct trace *trace)
{
	uint64_t *sum = sum_of(pinned, trace_number(trace));

	return sum ? *sum : 0;
}
