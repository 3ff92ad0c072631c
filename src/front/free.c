/* layer 5.4: free: the cold half of freeing, and sizes */
#include "front/heap.h"

#include "cpucache/cached.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/mark.h"
#include "cpucache/rseq.h"
#include "front/foreign.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/tick.h"
#include "system/config.h"
#include "system/report.h"

/* With a footer, what the program wrote behind the block's end is seen. */
static void direct_free(void *pointer, const struct block *block)
{
	if (config_checks_full())
		block_fill(pointer, block);
	cpu_cache_free_direct(pointer);
}

static void block_free(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_FOREIGN) {
		foreign_free(pointer);
		return;
	}
	if (block_footer_size())
		block_usable_size(pointer, block, "free");
	if (block->kind == BLOCK_LARGE)
		large_free(pointer, block);
	else if (gate_is_open())
		cpu_cache_free_slow(pointer, block->class);
	else
		direct_free(pointer, block);
}

static cold void free_any(void *pointer)
{
	struct block block;

	block_find(pointer, "free", &block);
	block_free(pointer, &block);
}

/* With checks=fast: the lanes' way. False: another way must judge and free the
 * block; it may be marked by then. */
static force_inline bool checked_try_free(void *pointer)
{
	uint64_t end = gate_read(&gate_checked.tags_end);
	const struct unit_tag *tag = heap_tag_below(pointer, end);

	if (!tag)
		return false;
	if (unlikely(!block_is_live(pointer, tag))) {
		free_any(pointer); /* to the judge */
		return true;
	}
	if (unlikely(mark_is_set(pointer, tag->magic)) &&
	    cached_finds(pointer, tag->class))
		fault("free of %p: already free", pointer);
	mark_set(pointer, tag->magic);
	return percpu_push_tagged(tag, pointer);
}

static cold void slow_path_ends(void)
{
	tick_pass();
}

/* A tiny object of another CPU's slab. */
static force_inline enum home free_home(void *pointer)
{
	uint64_t end = gate_read(&anchor.tags_end) |
		       gate_read(&gate_checked.tags_end);
	const struct unit_tag *tag = heap_tag_below(pointer, end);

	if (!tag || tag->away == tag->lane ||
	    tag->owner == (uint8_t)rseq_current_id())
		return HOME_REFUSED;
	return cpu_cache_free_home(pointer, tag->class);
}

static force_inline void free_unlaned(void *pointer)
{
	enum home home;

	if (gate_is_open())
		rseq_ensure();
	home = free_home(pointer);
	if (home == HOME_LANE)
		return;
	if (home == HOME_REFUSED)
		free_any(pointer);
	slow_path_ends();
}

void heap_free_slow(void *pointer)
{
	if (!pointer || checked_try_free(pointer))
		return;
	free_unlaned(pointer);
}

size_t heap_usable_size(const void *pointer)
{
	struct block block;

	if (!pointer)
		return 0;
	block_find_live(pointer, "malloc_usable_size", &block);
	if (block.kind == BLOCK_FOREIGN)
		return foreign_usable_size(pointer);
	return block_usable_size(pointer, &block, "malloc_usable_size");
}

/* Where blocks have footers, the size must be the one that malloc was told, or
 * the last realloc, whether that moved the block or not. Without footers all
 * that is known is what the block can hold: a size that is too small may be
 * right after a realloc that found no memory and stayed in place. */
static void size_hint_check(const void *pointer, size_t size)
{
	struct block block;
	size_t has;

	block_find_live(pointer, "free_sized", &block);
	if (block.kind == BLOCK_FOREIGN)
		return;
	has = block_usable_size(pointer, &block, "free_sized");
	if (size > has || (size < has && block_footer_size()))
		fault("free_sized of %p: size %zu given, block has %zu",
		      pointer, size, has);
}

static void align_hint_check(const void *pointer, size_t align)
{
	uintptr_t at = (uintptr_t)pointer;

	if (at & (align - 1))
		fault("free_aligned_sized of %p: alignment %zu given, "
		      "block has %zu",
		      pointer, align, (size_t)(at & -at));
}

void heap_free_sized(void *pointer, size_t size)
{
	if (unlikely(config.checks) && pointer)
		size_hint_check(pointer, size);
	heap_free(pointer);
}

void heap_free_aligned_sized(void *pointer, size_t align, size_t size)
{
	if (unlikely(config.checks) && align)
		align_hint_check(pointer, align);
	heap_free_sized(pointer, size);
}

void heap_free_aligned(void *pointer, size_t align)
{
	if (unlikely(config.checks) && align)
		align_hint_check(pointer, align);
	heap_free(pointer);
}

uint64_t heap_nr_foreign_frees(void)
{
	return foreign_nr_frees();
}
