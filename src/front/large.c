/* layer 5.3: large: blocks that are runs of the page heap */
#include "front/large.h"

#include <errno.h>

#include "cpucache/rseq.h"
#include "pageheap/guard_page.h"
#include "pageheap/page_heap.h"
#include "system/config.h"
#include "system/fault.h"
#include "system/system.h"

/* Each move of page tables leaves up to two mappings more behind, of which a
 * process may have 65,530: so only where it saves much, and not for ever. */
#define MOVE_SIZE_LEAST ((size_t)4 << 20)
#define MOVES_MOST 8192

static _Atomic(uint32_t) nr_moves; /* atomic: counter */

/* Whether the rule of guard_page.h has a page for a block of this size. Where
 * hugepages are wished for, a guard would break one. */
static bool large_wants_guard(size_t size)
{
	if (size <= MEDIUM_SIZE_MOST || config.large_guard == LARGE_GUARD_OFF)
		return false;
	if (config.large_guard == LARGE_GUARD_ALL)
		return true;
	return config.hugepage != HUGEPAGE_ON &&
	       config.hugepage != HUGEPAGE_AUTO &&
	       round_up(size, UNIT_SIZE) - size >= system_page_size();
}

static bool large_take(size_t size, size_t align_units, struct run *run)
{
	bool guard = large_wants_guard(size);
	bool all = guard && config.large_guard == LARGE_GUARD_ALL;

	if (all)
		size += system_page_size();
	if (!page_heap_take_run(div_up(size, UNIT_SIZE), align_units,
				rseq_current_id(), guard, run))
		return false;
	if (all || (guard && run->zero))
		guard_page_set(run->region, run->unit + run->nr_units - 1);
	return true;
}

void *large_alloc(size_t size, size_t align, bool *zero)
{
	size_t align_units = max_size(1, align >> UNIT_SHIFT);
	struct run run;

	if (!large_take(size, align_units, &run))
		return NULL;
	*zero = run.zero;
	page_map_set_run(run.region, run.unit, run.nr_units);
	return region_addr(run.region, run.unit);
}

void large_free(void *pointer, const struct block *block)
{
	uint32_t nr = page_map_take_run(block);

	if (!nr)
		fault("free of %p: already free", pointer);
	page_heap_give(block->region, block->unit, nr);
}

static void large_shrink(struct block *block, uint32_t nr_units)
{
	uint32_t nr_less = block->nr_units - nr_units;

	page_map_resize_run(block, nr_units);
	page_heap_give(block->region, block->unit + nr_units, nr_less);
}

/* The page that ended the block becomes a part of it. */
static bool large_unguard(struct block *block)
{
	if (!guard_page_clear(block->region, block->unit + block->nr_units - 1,
			      1))
		return false;
	block->size = (size_t)block->nr_units << UNIT_SHIFT;
	return true;
}

static bool large_grow(struct block *block, size_t nr_units)
{
	struct region *region = block->region;
	uint32_t end = block->unit + block->nr_units, nr_more;

	if (nr_units > load_relaxed(&region->nr_units)) // const
		return false;
	nr_more = (uint32_t)nr_units - block->nr_units;
	if (!page_heap_try_extend(region, block->unit, block->nr_units,
				  nr_more))
		return false;
	if (!large_unguard(block)) {
		page_heap_give(region, end, nr_more);
		return false;
	}
	page_map_resize_run(block, (uint32_t)nr_units);
	return true;
}

bool large_resize(struct block *block, size_t size)
{
	size_t nr_units = div_up(size, UNIT_SIZE);

	if (nr_units > block->nr_units)
		return large_grow(block, nr_units);
	if (nr_units < block->nr_units)
		large_shrink(block, (uint32_t)nr_units);
	return size <= block->size || large_unguard(block);
}

/* Whole pages, by page tables as far as that goes. A source that was moved
 * before and has grown since lies in two mappings, which one call cannot move
 * (EFAULT): then its halves. */
static void pages_move(char *to, char *from, size_t size)
{
	size_t half = round_down(size / 2, system_page_size());
	int result = -1;

	if (size >= MOVE_SIZE_LEAST && load_relaxed(&nr_moves) < MOVES_MOST)
		result = system_move_pages(to, from, size);
	if (!result) {
		add_relaxed(&nr_moves, 1);
		return;
	}
	if (result != -EFAULT || half < MOVE_SIZE_LEAST) {
		__builtin_memcpy(to, from, size);
		return;
	}
	pages_move(to, from, half);
	pages_move(to + half, from + half, size - half);
}

void large_move(void *to, void *from, size_t size)
{
	size_t pages = round_down(size, system_page_size());

	pages_move(to, from, pages);
	__builtin_memcpy((char *)to + pages, (char *)from + pages,
			 size - pages);
}
