/* layer 5.4: free: the cold half of freeing, and sizes */
#include "front/heap.h"

#include "cpucache/cpu_cache.h"
#include "front/foreign.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/tick.h"
#include "system/config.h"
#include "system/report.h"

static void block_free(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_FOREIGN)
		foreign_free(pointer);
	else if (block->kind == BLOCK_LARGE)
		large_free(pointer, block);
	else if (gate_is_open())
		cpu_cache_free_slow(pointer, block->class);
	else
		cpu_cache_free_direct(pointer);
}

static cold void free_any(void *pointer)
{
	struct block block;

	block_find(pointer, "free", &block);
	block_free(pointer, &block);
}

static cold void slow_path_ends(void)
{
	tick_pass();
}

/* A tiny object of another CPU's slab. */
static force_inline enum home free_home(void *pointer)
{
	const struct unit_tag *tag = heap_small_tag(pointer);

	if (!tag || tag->away == tag->lane ||
	    tag->owner == (uint8_t)rseq_current_id())
		return HOME_REFUSED;
	return cpu_cache_free_home(pointer, tag->class);
}

void heap_free_slow(void *pointer)
{
	enum home home;

	if (!pointer)
		return;
	home = free_home(pointer);
	if (home == HOME_LANE)
		return;
	if (home == HOME_REFUSED)
		free_any(pointer);
	slow_path_ends();
}

size_t heap_usable_size(const void *pointer)
{
	struct block block;

	if (!pointer)
		return 0;
	block_find(pointer, "malloc_usable_size", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_usable_size(pointer);
	return block_usable_size(pointer, &block);
}

/* With config.checks: the size that the program names must fit into the block.
 * One that is too small is right after a realloc that stayed in place. */
static void size_hint_check(const void *pointer, size_t size)
{
	struct block block;

	block_find(pointer, "free_sized", &block);
	if (block.kind == BLOCK_FOREIGN)
		return;
	if (size > block.size - block_footer_size())
		fault("free_sized of %p: size %zu given, block has %zu",
		      pointer, size, block.size);
}

void heap_free_sized(void *pointer, size_t size)
{
	if (unlikely(config.checks) && pointer)
		size_hint_check(pointer, size);
	heap_free(pointer);
}

void heap_free_aligned_sized(void *pointer, size_t align, size_t size)
{
	(void)align;
	heap_free_sized(pointer, size);
}

uint64_t heap_nr_foreign_frees(void)
{
	return foreign_nr_frees();
}
