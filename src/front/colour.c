/* layer 5.2: colour: each block has a colour; contract in colour.h */
#include "front/colour.h"

#include "system/fault.h"

cold void colour_start(void)
{
	struct region *region;
	uint32_t nr;

	if (!colours_start())
		return;
	for (region = region_next(regions); region;
	     region = region_next(region + 1)) {
		nr = load_relaxed(&region->nr_taken); // own: no other thread
		colours_cover(region->base, (size_t)nr << UNIT_SHIFT);
	}
}

/* No granule of a block has two owners: malloc(0) has one, too. */
static size_t whole_granules(size_t size)
{
	return max_size(round_up(size, MTE_GRANULE), MTE_GRANULE);
}

/* What is read back is 0 where memory takes no colour. */
cold void *colour_give_slow(void *pointer, const struct block *block,
			    size_t size)
{
	if (block->kind != BLOCK_OBJECT)
		return pointer;
	mte_store(mte_draw(pointer, colours_without(block->index)),
		  whole_granules(size));
	return mte_load(pointer);
}

/* Finds what is at a pointer of the program's, and checks the colour. Returns
 * the pointer by which the block is found. */
static void *colour_find(const void *pointer, const char *verb,
			 struct block *block)
{
	void *plain = mte_plain(pointer);
	unsigned has;

	page_map_find(plain, block);
	if (block->kind == BLOCK_FOREIGN)
		return (void *)(uintptr_t)pointer;
	if (block->kind != BLOCK_OBJECT)
		return plain;
	has = mte_colour(mte_load(plain));
	if (unlikely(has != mte_colour(pointer)) && !has)
		fault("%s of %p: already free", verb, pointer);
	if (unlikely(has != mte_colour(pointer)))
		fault("%s of %p: the block there has colour %u", verb, pointer,
		      has);
	return plain;
}

cold void *colour_take_slow(void *pointer, const char *verb)
{
	struct block block;
	void *plain = colour_find(pointer, verb, &block);

	colour_drop(plain, &block);
	return plain;
}

void colour_drop(void *plain, const struct block *block)
{
	if (colours_are_on() && block->kind == BLOCK_OBJECT)
		mte_store(plain, block->size);
}

cold void colour_look_begin(struct colour_look *look, const void *pointer,
			    const char *verb)
{
	struct block block;

	*look = (struct colour_look){
		.plain = colour_find(pointer, verb, &block),
		.coloured = (void *)(uintptr_t)pointer,
		.before = mte_unchecked(),
	};
}

cold void colour_look_end(const struct colour_look *look)
{
	mte_checked(look->before);
}

cold void *colour_resize(const struct colour_look *look, size_t size)
{
	size_t whole = whole_granules(size);
	struct block block;

	page_map_find(look->plain, &block);
	if (block.kind != BLOCK_OBJECT)
		return look->coloured;
	mte_store(look->coloured, whole);
	mte_store((char *)look->plain + whole, block.size - whole);
	return look->coloured;
}
