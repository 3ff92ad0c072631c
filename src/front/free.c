/* layer 5.5: free: the cold half of freeing, and sizes */
#include "front/free.h"

#include "cpucache/cpu_cache.h"
#include "cpucache/mark.h"
#include "cpucache/rseq.h"
#include "front/foreign.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/outside.h"
#include "front/quarantine.h"
#include "front/tick.h"
#include "guard/pool.h"
#include "guard/verdict.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/report.h"
#include "system/system.h"

/* Frees by a lane; with checks=fast the object gets its mark first. */
static force_inline bool lane_try_free(void *pointer,
				       const struct unit_tag *tag)
{
	if (gate_read(&gate_checked.tags_end))
		mark_set(pointer, tag->magic);
	else if (!gate_read(&anchor.tags_end))
		return false;
	return percpu_push_tagged(tag, pointer);
}

/* Frees an object whose slab's owner is another id: where it goes to the lane
 * that takes nothing, by its node. */
static enum remote_free free_remote(void *pointer, const struct block *block)
{
	if (unlikely(block->tag->remote == size_classes[CLASS_LARGE].lane))
		return cpu_cache_free_by_node(pointer, block->size_class,
					      block->tag->owner);
	return cpu_cache_free_remote(pointer, block->size_class);
}

/* Frees what no lane took. */
static enum remote_free object_free(void *pointer, const struct block *block)
{
	const struct unit_tag *tag = block->tag;
	enum remote_free remote = REMOTE_REFUSED;

	if (!gate_is_open() || unlikely(page_map_is_sampled(block))) {
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

static cold void guarded_give(void *pointer, const struct block *block)
{
	const void *damage;

	if (block->index == BLOCK_LOST)
		return;
	damage = guarded_damage(block);
	if (damage)
		verdict_damage(pointer, damage, "free");
	if (!guarded_free(block, sample_stack_other()))
		verdict_pointer(pointer, "free");
}

/* Frees a run, or an object that no lane took. */
static enum remote_free block_free(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT)
		return object_free(pointer, block);
	large_free(pointer, block);
	return REMOTE_REFUSED;
}

/* Frees what comes out of the quarantine, with checks=full. */
static cold void quarantined_free(void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	if (!quarantine_unshut(pointer, &block))
		return;
	block_reuse_check(pointer, &block, "quarantine");
	block_free(pointer, &block);
}

/* Returns an object's second word while it is free: its mark, without the owner
 * that its tag has at the moment. */
static uint64_t wiped_mark(const struct block *block)
{
	return page_map_is_sampled(block) ? 0 :
					    block->tag->magic & ~TAG_OWNER_MASK;
}

/* Makes a free block zeros, but for an object's mark. */
static void block_wipe(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_RUN && !system_purge(pointer, block->size))
		return;
	__builtin_memset(pointer, 0, block->size);
	if (block->kind == BLOCK_OBJECT)
		mark_set(pointer, wiped_mark(block));
}

#define WIPE_LOOK_MOST 128 /* words */

/* Whether the program has not written to it since, as far as is looked at. */
static bool is_wiped(const void *pointer, const struct block *block)
{
	const mark_word *words = pointer;
	size_t i, n = min_size(block->size / sizeof(*words), WIPE_LOOK_MOST);
	uint64_t other = 0;

	if (block->kind != BLOCK_OBJECT)
		return true;
	for (i = 0; i < n; i++)
		other |= i == 1 ? words[i] ^ wiped_mark(block) : words[i];
	return !other;
}

/* Frees what comes out of the quarantine, with hardened=1. */
static void wiped_free(void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	if (!quarantine_unshut(pointer, &block))
		return;
	if (unlikely(!is_wiped(pointer, &block)))
		fault("quarantine of %p: written to after it was freed",
		      pointer);
	if (block.kind == BLOCK_OBJECT && !page_map_is_sampled(&block) &&
	    lane_try_free(pointer, block.tag))
		return;
	block_free(pointer, &block);
}

/* Wipes a block and frees what it drives out of the quarantine. */
static void hardened_free(void *pointer, const struct block *block)
{
	void *out[QUARANTINE_OUT];
	int i, n;

	block_wipe(pointer, block);
	n = quarantine_put(rseq_current_id(), block, pointer, out);
	for (i = 0; i < n; i++)
		wiped_free(out[i]);
	if (n < 0)
		block_free(pointer, block);
}

/* Retires a block and frees what it drives out of the quarantine. */
static cold void checked_free(void *pointer, const struct block *block)
{
	void *out[QUARANTINE_OUT];
	int i, n;

	if (!block_retire(pointer, block))
		block_usable_size(pointer, block, "free");
	n = quarantine_put(rseq_current_id(), block, pointer, out);
	for (i = 0; i < n; i++)
		quarantined_free(out[i]);
	if (n < 0)
		block_free(pointer, block);
}

static void waiting_free(void *pointer)
{
	if (config_checks_full())
		quarantined_free(pointer);
	else
		wiped_free(pointer);
}

cold void heap_quarantine_flush(void)
{
	void *pointer;
	size_t i;

	for (i = 0; quarantine_size() && quarantine_look(i, &pointer); i++)
		if (pointer && quarantine_take(i, &pointer) && pointer)
			waiting_free(pointer);
}

/* Whether the profile may follow it. */
static bool may_be_followed(const struct block *block)
{
	switch (block->kind) {
	case BLOCK_RUN:
	case BLOCK_GUARDED:
		return true;
	case BLOCK_OBJECT:
		return page_map_is_sampled(block);
	case BLOCK_FOREIGN:
	case BLOCK_NONE:
	case BLOCK_INSIDE:
		break;
	}
	return false;
}

/* Frees by kind, where no lane took the block or none can. */
static cold void free_unlaned(void *pointer, const struct block *block)
{
	enum remote_free remote = REMOTE_REFUSED;

	if (may_be_followed(block) && unlikely(sampler_has_tables()))
		sample_remove(pointer);
	switch (block->kind) {
	case BLOCK_FOREIGN:
		foreign_free(pointer);
		break;
	case BLOCK_GUARDED:
		guarded_give(pointer, block);
		break;
	case BLOCK_OBJECT:
	case BLOCK_RUN:
		if (config_checks_full())
			checked_free(pointer, block);
		else if (config.hardened)
			hardened_free(pointer, block);
		else
			remote = block_free(pointer, block);
		break;
	case BLOCK_NONE:
	case BLOCK_INSIDE:
		break; /* block_find() ended the program */
	}
	if (remote == REMOTE_LANE)
		return;
	tick_pass();
	outside_look();
}

void heap_free_judged(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    !config.hardened && lane_try_free(pointer, block->tag))
		return;
	free_unlaned(pointer, block);
}

/* Frees what no lane was asked for. Where blocks have a footer, what the
 * program wrote behind the block's end is seen. */
static cold void free_judge(void *pointer)
{
	struct block block;

	block_find(pointer, "free", &block);
	if (config.hardened && block_waits(pointer, &block))
		fault("free of %p: already free", pointer);
	if (block.kind != BLOCK_FOREIGN && block_footer_size())
		block_usable_size(pointer, &block, "free");
	free_unlaned(pointer, &block);
}

/* Frees by a lane with checks=fast. False: another way must judge and free the
 * block; it may be marked by then. */
static force_inline bool checked_try_free(void *pointer)
{
	uint64_t end = gate_read(&gate_checked.tags_end);
	struct block block;

	if (!page_map_try_live(pointer, end, &block))
		return false;
	if (unlikely(mark_is_set(pointer, block.tag->magic)) &&
	    block_waits(pointer, &block))
		fault("free of %p: already free", pointer);
	if (unlikely(config.hardened)) {
		hardened_free(pointer, &block);
		return true;
	}
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
	if (size > has || (size < has && (block_footer_of(block) ||
					  block->kind == BLOCK_GUARDED)))
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
	bool checks = (config.checks || config.hardened) && pointer;

	if (checks && align)
		align_hint_check(pointer, align);
	if (checks && size)
		free_and_check_size(pointer, *size);
	else
		heap_free(pointer);
}
