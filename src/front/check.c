/* layer 5.10: check: a look at all blocks; contract in check.h */
#include "front/check.h"

#include "front/block.h"
#include "front/block_fault.h"
#include "front/free.h"
#include "front/start.h"
#include "guard/misuse.h"
#include "slab/slab.h"
#include "system/config.h"

enum damage { DAMAGE_NONE, DAMAGE_END, DAMAGE_SLACK, DAMAGE_FREED };

#define LOOKS 4 /* that see the same */

/* A block, and what was seen of it. */
struct look {
	const void *pointer;
	struct block block;
	uint64_t life; /* of its slab */
	bool free;     /* in its slab */
	struct block_look seen;
};

static enum damage damage_look(struct look *look, struct block_window *window)
{
	struct block_look *seen = &look->seen;
	bool object = look->block.kind == BLOCK_OBJECT;

	if (!block_look(look->pointer, &look->block, look->free, window, seen))
		return DAMAGE_NONE;
	if (look->free || (seen->footer.state == FOOTER_FREED && object))
		return seen->is_as_freed ? DAMAGE_NONE : DAMAGE_FREED;
	if (seen->footer.state == FOOTER_BAD && object)
		return DAMAGE_END;
	return seen->slack ? DAMAGE_SLACK : DAMAGE_NONE;
}

/* Whether the same block is there, with the same bit in its slab. */
static bool look_is_the_same(const struct look *look)
{
	const struct block *was = &look->block;
	struct block now;

	if (!page_map_look(look->pointer, &now) || now.kind != was->kind ||
	    now.unit != was->unit || now.size != was->size)
		return false;
	return now.kind != BLOCK_OBJECT ||
	       (slab_life(&now) == look->life &&
		page_map_is_free(&now) == look->free);
}

/* Looks through the window, and where there is damage past it until what was
 * seen is sure to be of one block all the while. */
static enum damage damage_of(struct look *look, struct block_window *window)
{
	enum damage damage;
	unsigned i;

	if (look->block.kind == BLOCK_OBJECT) {
		look->life = slab_life(&look->block);
		look->free = page_map_is_free(&look->block);
	}
	damage = damage_look(look, window);
	for (i = 0; i < LOOKS && damage != DAMAGE_NONE; i++) {
		damage = damage_look(look, NULL);
		// [slab.bits] with slab_give(): the looks before
		fence_acquire();
		if (damage == DAMAGE_NONE || !look_is_the_same(look))
			return DAMAGE_NONE;
	}
	return damage;
}

static void check_block(const void *pointer, const struct block *block,
			struct block_window *window, const char *verb)
{
	const char *end = (const char *)pointer + block->size;
	struct look look = { .pointer = pointer, .block = *block };

	switch (damage_of(&look, window)) {
	case DAMAGE_NONE:
		return;
	case DAMAGE_END:
		block_fault(pointer, block, end - block_footer_size(),
			    "%s of %p: written behind its end", verb, pointer);
	case DAMAGE_SLACK:
		block_fault(pointer, block, look.seen.slack,
			    "%s of %p: written behind its %zu bytes", verb,
			    pointer, look.seen.footer.size);
	case DAMAGE_FREED:
		block_fault(pointer, block, block_fill_look(pointer, block),
			    "%s of %p: written to after it was freed", verb,
			    pointer);
	}
}

/* Checks the objects of a slab, or the large block, that begin in the unit. */
static void check_unit(const struct region *region, uint32_t unit,
		       struct block_window *window, const char *verb)
{
	const char *at = region_addr(region, unit);
	struct block block;
	unsigned i, nr;

	if (!page_map_look(at, &block))
		return;
	if (block.kind == BLOCK_RUN && block.nr_units)
		check_block(at, &block, window, verb);
	if (block.kind != BLOCK_OBJECT || block.index)
		return;
	nr = size_classes[block.size_class].nr_objects;
	for (i = 0; i < nr; i++) {
		if (!page_map_look(at + i * block.size, &block) ||
		    block.kind != BLOCK_OBJECT || block.index != i)
			return;
		check_block(at + i * block.size, &block, window, verb);
	}
}

void heap_check(const char *verb)
{
	struct block_window window = { .size = 0 };
	struct region *region;
	uint32_t unit, end;

	if (!heap_start())
		return;
	misuse_sweep(verb);
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
			check_unit(region, unit, &window, verb);
	}
}
