/* layer 5.4: usable: see usable.h */
#include "front/usable.h"

#include "front/block.h"
#include "front/colour.h"
#include "front/foreign.h"

static size_t usable_size(const void *pointer)
{
	struct block block;

	block_find_live(pointer, "malloc_usable_size", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_usable_size(pointer);
	return block_usable_size(pointer, &block, "malloc_usable_size");
}

static cold size_t coloured_usable_size(const void *pointer)
{
	struct colour_look look;
	size_t size;

	colour_look_begin(&look, pointer, "malloc_usable_size");
	size = usable_size(look.plain);
	colour_look_end(&look);
	return size;
}

size_t heap_usable_size(const void *pointer)
{
	if (!pointer)
		return 0;
	return colours_are_on() ? coloured_usable_size(pointer) :
				  usable_size(pointer);
}
