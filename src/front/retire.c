/* layer 5.3: retire: where a freed block goes; contract in retire.h */
#include "front/retire.h"

#include "cpucache/rseq.h"
#include "front/block.h"
#include "front/gate.h"
#include "front/large.h"
#include "front/quarantine.h"
#include "system/config.h"
#include "system/report.h"
#include "system/system.h"

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

/* A run, or an object that no lane took. */
static enum remote_free block_free(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT)
		return object_free(pointer, block);
	large_free(pointer, block);
	return REMOTE_REFUSED;
}

/* With checks=full. */
static cold void filled_free(const struct quarantined *out)
{
	if (!quarantine_unshut(out))
		return;
	block_reuse_check(out->pointer, &out->block, "quarantine");
	block_free(out->pointer, &out->block);
}

/* An object's second word while it is free: its mark, without the owner that
 * its tag has at the moment. */
static uint64_t wiped_mark(const struct block *block)
{
	return page_map_is_sampled(block) ? 0 :
					    block->tag->magic & ~TAG_OWNER_MASK;
}

/* With hardened=1 a free block is zeros, but for an object's mark. */
static void block_wipe(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_RUN && !system_purge(pointer, block->size))
		return;
	__builtin_memset(pointer, 0, block->size);
	if (block->kind == BLOCK_OBJECT)
		mark_set(pointer, wiped_mark(block));
}

#define WIPE_LOOK_MOST 128 /* words */

/* The program wrote to it since, as far as is looked at. */
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

/* With hardened=1. */
static enum remote_free wiped_free(const struct quarantined *out)
{
	const struct block *block = &out->block;

	if (!quarantine_unshut(out))
		return REMOTE_REFUSED;
	if (unlikely(!is_wiped(out->pointer, block)))
		fault("quarantine of %p: written to after it was freed",
		      out->pointer);
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    lane_try_free(out->pointer, block->tag))
		return REMOTE_LANE;
	return block_free(out->pointer, block);
}

/* With hardened=1. */
static enum remote_free hardened_free(void *pointer, const struct block *block)
{
	struct quarantined out[QUARANTINE_OUT];
	enum remote_free all = REMOTE_LANE;
	int i, n;

	block_wipe(pointer, block);
	n = quarantine_put(rseq_current_id(), block, pointer, out);
	for (i = 0; i < n; i++)
		if (wiped_free(&out[i]) != REMOTE_LANE)
			all = REMOTE_REFUSED;
	return n < 0 ? block_free(pointer, block) : all;
}

/* With checks=full. */
static cold void checked_free(void *pointer, const struct block *block)
{
	struct quarantined out[QUARANTINE_OUT];
	int i, n;

	if (!block_retire(pointer, block))
		block_usable_size(pointer, block, "free");
	n = quarantine_put(rseq_current_id(), block, pointer, out);
	for (i = 0; i < n; i++)
		filled_free(&out[i]);
	if (n < 0)
		block_free(pointer, block);
}

static void waiting_free(const struct quarantined *out)
{
	if (config_checks_full())
		filled_free(out);
	else
		wiped_free(out);
}

cold void heap_quarantine_flush(void)
{
	struct quarantined out;
	void *pointer;
	size_t i;

	for (i = 0; quarantine_size() && quarantine_look(i, &pointer); i++)
		if (pointer && quarantine_take(i, &out) && out.pointer)
			waiting_free(&out);
}

enum remote_free retire_block(void *pointer, const struct block *block)
{
	if (likely(!config.hardened && !config_checks_full()))
		return block_free(pointer, block);
	if (!config_checks_full())
		return hardened_free(pointer, block);
	checked_free(pointer, block);
	return REMOTE_REFUSED;
}
