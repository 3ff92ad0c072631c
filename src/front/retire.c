/* layer 5.3: retire: fills, wipes and the quarantine; see retire.h */
#include "front/retire.h"

#include "cpucache/rseq.h"
#include "cpucache/rseq_own.h"
#include "front/block.h"
#include "front/gate.h"
#include "front/quarantine.h"
#include "front/ring.h"
#include "front/wipe.h"
#include "system/config.h"
#include "system/fault.h"
#include "system/system.h"

/* Frees a block that has its fill; lanes keep it. */
static enum remote_free filled_give(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    gate_read(&gate_checked.tags_end) &&
	    percpu_push_tagged(block->tag, pointer))
		return REMOTE_LANE;
	return block_free(pointer, block);
}

/* Frees what comes out of the quarantine, with checks=full. */
static enum remote_free filled_free(const struct quarantined *out)
{
	if (!quarantine_unshut(out))
		return REMOTE_REFUSED;
	block_reuse_check(out->pointer, &out->block, "quarantine");
	return filled_give(out->pointer, &out->block);
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
	switch (block->kind) {
	case BLOCK_OBJECT:
		wipe_set(pointer, block->size, wiped_mark(block));
		break;
	case BLOCK_RUN:
		if (system_purge(pointer, block->size))
			__builtin_memset(pointer, 0, block->size);
		break;
	case BLOCK_FOREIGN:
	case BLOCK_NONE:
	case BLOCK_INSIDE:
	case BLOCK_GUARDED:
		break; /* go other ways: free.c */
	}
}

static bool is_wiped(void *pointer, const struct block *block)
{
	return block->kind != BLOCK_OBJECT ||
	       wipe_is_whole(pointer, block->size, wiped_mark(block));
}

/* Frees a block of zeros. */
static enum remote_free wiped_give(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    lane_try_free(pointer, block->tag))
		return REMOTE_LANE;
	return block_free(pointer, block);
}

/* Frees what comes out of the quarantine, with hardened=1. */
static enum remote_free wiped_free(const struct quarantined *out)
{
	const struct block *block = &out->block;

	if (!quarantine_unshut(out))
		return REMOTE_REFUSED;
	if (unlikely(!is_wiped(out->pointer, block)))
		fault("quarantine of %p: written to after it was freed",
		      out->pointer);
	return wiped_give(out->pointer, block);
}

static enum remote_free waiting_free(const struct quarantined *out)
{
	return config_checks_full() ? filled_free(out) : wiped_free(out);
}

/* Frees what a heavy block drives out beyond what its put returned; false: it
 * drives out no more. */
static cold bool drive_free(unsigned id, const struct block *block)
{
	struct quarantined out;
	size_t turn;

	for (turn = 0; quarantine_drive(id, block, turn, &out); turn++)
		if (out.pointer)
			waiting_free(&out);
	return turn;
}

/* Puts a block that has its fill, or is wiped, into the quarantine that all
 * CPUs share, and frees what it drives out of there. */
static enum remote_free block_wait(void *pointer, const struct block *block)
{
	struct quarantined out[QUARANTINE_OUT];
	enum remote_free all = REMOTE_LANE;
	unsigned id = rseq_current_id();
	int i, n;

	n = quarantine_put(id, block, pointer, out);
	for (i = 0; i < n; i++)
		if (waiting_free(&out[i]) != REMOTE_LANE)
			all = REMOTE_REFUSED;
	if (n < 0)
		return config_checks_full() ? filled_give(pointer, block) :
					      wiped_give(pointer, block);
	if (block->size >= QUARANTINE_HEAVY && drive_free(id, block))
		all = REMOTE_REFUSED;
	return all;
}

/* By the CPU's ring, which is made where there is none. */
static bool ring_put(void *pointer, const struct block *block, void **old)
{
	if (block->kind != BLOCK_OBJECT || block->size > SMALL_SIZE_MOST ||
	    !gate_is_open())
		return false;
	rseq_ensure();
	/* Once more after an abort. */
	if (ring_swap(pointer, block->size, old) ||
	    ring_swap(pointer, block->size, old))
		return true;
	return ring_make(rseq_current_id()) &&
	       ring_swap(pointer, block->size, old);
}

/* What a ring drove out, with checks=full: most often of a lane's slab. */
static enum remote_free filled_leave(void *old)
{
	const struct unit_tag *tag =
		page_map_try(old, gate_read(&gate_checked.tags_end));
	struct quarantined out = { .pointer = old };

	if (unlikely(!tag)) {
		page_map_find(old, &out.block);
		return filled_free(&out);
	}
	page_map_object(&regions[0], tag, old, &out.block);
	block_reuse_check(old, &out.block, "quarantine");
	if (likely(out.block.kind == BLOCK_OBJECT) &&
	    likely(percpu_push_tagged(tag, old)))
		return REMOTE_LANE;
	return block_free(old, &out.block);
}

/* A block that has its fill waits; frees what it drives out. */
static enum remote_free filled_wait(void *pointer, const struct block *block)
{
	void *old;

	if (!config.quarantine || !ring_put(pointer, block, &old))
		return block_wait(pointer, block);
	return old ? filled_leave(old) : REMOTE_LANE;
}

/* A wiped block waits; frees what it drives out. */
static enum remote_free wiped_retire(void *pointer, const struct block *block)
{
	struct quarantined out;

	if (!ring_put(pointer, block, &out.pointer))
		return block_wait(pointer, block);
	if (!out.pointer)
		return REMOTE_LANE;
	page_map_find(out.pointer, &out.block);
	return wiped_free(&out);
}

enum remote_free retire_wiped(void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	return wiped_retire(pointer, &block);
}

enum remote_free retire_waited(void *pointer)
{
	struct quarantined out = { .pointer = pointer };

	page_map_find(pointer, &out.block);
	return wiped_free(&out);
}

bool filled_try_retire(void *pointer, const struct block *block,
		       enum block_form form, enum remote_free *where)
{
	if (!block_try_retire(pointer, block, form))
		return false;
	*where = filled_wait(pointer, block);
	return true;
}

/* A block that another frees at once may be live again by the second look. */
static cold enum remote_free filled_retire(void *pointer,
					   const struct block *block)
{
	if (likely(block_retire(pointer, block)))
		return filled_wait(pointer, block);
	block_usable_size(pointer, block, "free");
	fault("free of %p: already free", pointer);
}

/* All that waits in the rings of an id, which are its own again then. */
static cold void rings_flush(unsigned id)
{
	struct ring *rings = ring_take(id);
	struct quarantined out;
	size_t i;

	for (i = 0; rings && ring_empty(rings, i, &out.pointer); i++) {
		if (!out.pointer)
			continue;
		page_map_find(out.pointer, &out.block);
		waiting_free(&out);
	}
	if (rings)
		ring_give_back(id, rings);
}

cold void heap_quarantine_flush(void)
{
	struct quarantined out;
	void *pointer;
	unsigned id;
	size_t i;

	for (i = 0; quarantine_shared_size() && quarantine_look(i, &pointer);
	     i++)
		if (pointer && quarantine_take(i, &out) && out.pointer)
			waiting_free(&out);
	for (id = 0; id < ring_ids_end(); id++)
		rings_flush(id);
}

/* Of two that free one run at once the second would free, out of the
 * quarantine, whatever is there by then. */
static void run_claim(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_RUN && unlikely(!block_claim(pointer, block)))
		fault("free of %p: already free", pointer);
}

enum remote_free retire_block(void *pointer, const struct block *block)
{
	if (likely(!config.hardened && !config_checks_full()))
		return block_free(pointer, block);
	if (!config_checks_full()) {
		run_claim(pointer, block);
		block_wipe(pointer, block);
		return wiped_retire(pointer, block);
	}
	return filled_retire(pointer, block);
}
