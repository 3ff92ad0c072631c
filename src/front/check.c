/* layer 5.6: check: a look at all blocks; contract in check.h */
#include "front/check.h"

#include "front/block.h"
#include "front/free.h"
#include "front/start.h"
#include "front/tell.h"
#include "guard/sweep.h"
#include "slab/slab.h"
#include "system/config.h"

enum damage { DAMAGE_NONE, DAMAGE_END, DAMAGE_SLACK, DAMAGE_FREED };

/* What is wrong with a block as it is now; *at: where. */
static enum damage damage_look(const void *pointer, const struct block *block,
			       const char **at, size_t *size)
{
	const char *end = (const char *)pointer + block->size;
	bool run = block->kind == BLOCK_RUN, free;
	struct footer footer;

	free = !run && page_map_is_free(block);
	*at = pointer;
	if (free)
		return block_is_as_freed(pointer, block) ? DAMAGE_NONE :
							   DAMAGE_FREED;
	block_footer_read(pointer, block, &footer);
	*size = footer.size;
	if (footer.state == FOOTER_FREED && !run)
		return block_is_as_freed(pointer, block) ? DAMAGE_NONE :
							   DAMAGE_FREED;
	*at = end - block_footer_size();
	if (footer.state == FOOTER_BAD && !run)
		return DAMAGE_END;
	if (footer.state != FOOTER_LIVE)
		return DAMAGE_NONE;
	*at = block_slack_look(pointer, block, footer.size);
	return *at ? DAMAGE_SLACK : DAMAGE_NONE;
}

static bool footer_is(const void *pointer, const struct block *block,
		      const struct footer *was)
{
	struct footer now;

	block_footer_read(pointer, block, &now);
	return now.state == was->state && now.size == was->size;
}

/* What was seen is of one block, the same all the while. */
static enum damage damage_of(const void *pointer, const struct block *block,
			     const char **at, size_t *size)
{
	bool object = block->kind == BLOCK_OBJECT;
	uint64_t life = object ? slab_life(block) : 0;
	bool free = object && page_map_is_free(block);
	enum damage damage;
	struct footer was;

	block_footer_read(pointer, block, &was);
	if (damage_look(pointer, block, at, size) == DAMAGE_NONE)
		return DAMAGE_NONE;
	damage = damage_look(pointer, block, at, size);
	// [slab.bits] with slab_give(): the looks before
	fence_acquire();
	if (!footer_is(pointer, block, &was) ||
	    (object &&
	     (slab_life(block) != life || page_map_is_free(block) != free)))
		return DAMAGE_NONE;
	return damage;
}

static void check_block(const void *pointer, const struct block *block,
			const char *verb)
{
	const char *at = NULL;
	size_t size = 0;

	switch (damage_of(pointer, block, &at, &size)) {
	case DAMAGE_NONE:
		return;
	case DAMAGE_END:
		tell_fault(pointer, block, at,
			   "%s of %p: written behind its end", verb, pointer);
	case DAMAGE_SLACK:
		tell_fault(pointer, block, at,
			   "%s of %p: written behind its %zu bytes", verb,
			   pointer, size);
	case DAMAGE_FREED:
		tell_fault(pointer, block, block_fill_look(pointer, block),
			   "%s of %p: written to after it was freed", verb,
			   pointer);
	}
}

/* The objects of a slab, or the large block, that begin in the unit. */
static void check_unit(const struct region *region, uint32_t unit,
		       const char *verb)
{
	const char *at = region_addr(region, unit);
	struct block block;
	unsigned i, nr;

	page_map_find(at, &block);
	if (block.kind == BLOCK_RUN && block.nr_units)
		check_block(at, &block, verb);
	if (block.kind != BLOCK_OBJECT || block.index)
		return;
	nr = size_classes[block.size_class].nr_objects;
	for (i = 0; i < nr; i++) {
		page_map_find(at + i * block.size, &block);
		if (block.kind != BLOCK_OBJECT || block.index != i)
			return;
		check_block(at + i * block.size, &block, verb);
	}
}

void heap_check(const char *verb)
{
	struct region *region;
	uint32_t unit, end;

	if (!heap_start())
		return;
	sweep_guarded(verb);
	if (!config_checks_full()) {
		heap_quarantine_flush();
		return;
	}
	for (region = region_next(regions); region;
	     region = region_next(region + 1)) {
		end = (uint32_t)min_size(
			// [region.nr_committed] with region_raise(): readable
			load_acquire(&region->nr_committed),
			load_relaxed(&region->nr_used)); // hint
		for (unit = 0; unit < end; unit++)
			check_unit(region, unit, verb);
	}
}
