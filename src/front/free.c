/* layer 5.5: free: the cold half of freeing, and sizes */
#include "front/free.h"

#include "cpucache/cached.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/mark.h"
#include "cpucache/rseq.h"
#include "front/foreign.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/tick.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/report.h"

/* Frees by a lane. With checks=fast the object gets its mark first. */
static force_inline bool lane_try_free(void *pointer,
				       const struct unit_tag *tag)
{
	if (gate_read(&gate_checked.tags_end))
		mark_set(pointer, tag->magic);
	else if (!gate_read(&anchor.tags_end))
		return false;
	return percpu_push_tagged(tag, pointer);
}

/* Frees an object whose slab's owner is another id. */
static enum remote_free free_remote(void *pointer, const struct block *block)
{
	if (likely(block->size_class <= NR_TINY))
		return cpu_cache_free_remote(pointer, block->size_class);
	return cpu_cache_free_by_node(pointer, block->size_class,
				      block->tag->owner);
}

/* Frees what no lane took. What goes straight to its slab with checks=full is
 * filled before. */
static enum remote_free object_free(void *pointer, const struct block *block)
{
	const struct unit_tag *tag = block->tag;
	enum remote_free remote = REMOTE_REFUSED;

	if (!gate_is_open() || unlikely(page_map_is_sampled(block))) {
		if (config_checks_full())
			block_fill(pointer, block);
		cpu_cache_free_direct(pointer);
		return remote;
	}
	rseq_ensure();
	if (tag->remote != tag->lane && tag->owner != rseq_current_id())
		remote = free_remote(pointer, block);
	if (remote == REMOTE_REFUSED)
		cpu_cache_free_slow(pointer, block->size_class);
	return remote;
}

/* Frees by kind, where no lane took the block or none can. */
static cold void free_unlaned(void *pointer, const struct block *block)
{
	if ((block->kind == BLOCK_RUN || page_map_is_sampled(block)) &&
	    sample_may_live())
		sample_remove(pointer);
	if (block->kind == BLOCK_FOREIGN)
		foreign_free(pointer);
	else if (block->kind == BLOCK_RUN)
		large_free(pointer, block);
	else if (object_free(pointer, block) == REMOTE_LANE)
		return;
	tick_pass();
}

void heap_free_judged(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    lane_try_free(pointer, block->tag))
		return;
	free_unlaned(pointer, block);
}

/* Where blocks have a footer, what the program wrote behind the block's end is
 * seen. */
static cold void free_judge(void *pointer)
{
	struct block block;

	block_find(pointer, "free", &block);
	if (block.kind != BLOCK_FOREIGN && block_footer_size())
		block_usable_size(pointer, &block, "free");
	free_unlaned(pointer, &block);
}

/* With checks=fast: the lanes' way. False: another way must judge and free the
 * block; it may be marked by then. */
static force_inline bool checked_try_free(void *pointer)
{
	uint64_t end = gate_read(&gate_checked.tags_end);
	struct block block;

	if (!page_map_try_live(pointer, end, &block))
		return false;
	if (unlikely(mark_is_set(pointer, block.tag->magic)) &&
	    cached_finds(pointer, block.size_class))
		fault("free of %p: already free", pointer);
	mark_set(pointer, block.tag->magic);
	return percpu_push_tagged(block.tag, pointer);
}

void heap_free_slow(void *pointer)
{
	if (pointer && !checked_try_free(pointer))
		free_judge(pointer);
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
static void size_hint_check(const void *pointer, const struct block *block,
			    size_t size)
{
	size_t has;

	if (block->kind == BLOCK_FOREIGN)
		return;
	has = block_usable_size(pointer, block, "free_sized");
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

static cold void free_and_check_size(void *pointer, size_t size)
{
	struct block block;

	block_find_live(pointer, "free_sized", &block);
	size_hint_check(pointer, &block, size);
	heap_free_judged(pointer, &block);
}

void heap_free_hinted(void *pointer, size_t align, const size_t *size)
{
	bool checks = config.checks && pointer;

	if (checks && align)
		align_hint_check(pointer, align);
	if (checks && size)
		free_and_check_size(pointer, *size);
	else
		heap_free(pointer);
}
