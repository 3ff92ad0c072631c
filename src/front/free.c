/* layer 5.9: free: the cold half of freeing */
#include "front/free.h"

#include "front/block.h"
#include "front/block_fault.h"
#include "front/colour.h"
#include "front/foreign.h"
#include "front/hardened.h"
#include "front/marked.h"
#include "front/tick.h"
#include "guard/misuse.h"
#include "guard/pool.h"
#include "sample/sampler.h"
#include "sample/stack.h"
#include "system/config.h"
#include "system/fault.h"

static cold void guarded_give(void *pointer, const struct block *block)
{
	const void *damage;

	if (block->index == BLOCK_LOST)
		return;
	damage = guarded_damage(block);
	if (damage)
		misuse_damage(pointer, damage, "free");
	if (!guarded_free(block, sample_stack_keep()))
		misuse_pointer(pointer, "free");
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
		tick_end_free(retire_block(pointer, block));
		return;
	case BLOCK_NONE:
	case BLOCK_INSIDE:
		break; /* block_find() ended the program */
	}
	tick_end();
}

void heap_free_judged(void *pointer, const struct block *block)
{
	if (block->kind == BLOCK_OBJECT && !page_map_is_sampled(block) &&
	    !config.hardened && !config_checks_full() &&
	    lane_try_free(pointer, block->tag))
		return;
	free_unlaned(pointer, block);
}

/* What the program called. */
static const char *form_verb(enum block_form form)
{
	static const char *const verbs[NR_FORMS] = {
		[FORM_ANY] = "free",
		[FORM_C] = "free",
		[FORM_NEW] = "delete",
		[FORM_NEW_ALIGNED] = "aligned delete",
		[FORM_ARRAY] = "delete[]",
		[FORM_ARRAY_ALIGNED] = "aligned delete[]",
	};

	return verbs[form];
}

/* Where blocks have a footer, what the program wrote behind the block's end is
 * seen. */
static cold void free_found(void *pointer, enum block_form form)
{
	struct block block;

	block_find(pointer, "free", &block);
	if (config.hardened && block_waits(pointer, &block))
		fault("free of %p: already free", pointer);
	if (block.kind != BLOCK_FOREIGN && block_footer_size()) {
		block_form_check(pointer, &block, form, form_verb(form));
		block_usable_size(pointer, &block, "free");
	}
	free_unlaned(pointer, &block);
}

/* By lanes most often, and then nothing else is to be done. */
static void hardened_free(void *pointer, const struct block *block)
{
	block_usable_size(pointer, block, "free");
	tick_end_free(retire_block(pointer, block));
}

/* With checks=full: what is in order is retired, of the rest others tell. */
static bool filled_try_free(void *pointer, const struct block *block,
			    enum block_form form)
{
	enum remote_free where;

	if (!filled_try_retire(pointer, block, form, &where))
		return false;
	tick_end_free(where);
	return true;
}

/* Where calls are checked (config_checks_calls()): the lanes' way, with
 * checks=fast a look at what marked_try_free() refused. False: another way must
 * judge and free the block. */
static force_inline bool checked_try_free(void *pointer, enum block_form form)
{
	uint64_t end = gate_read(&gate_checked.tags_end) |
		       gate_read(&gate_marked.tags_end);
	struct block block;

	if (!page_map_try_live(pointer, end, &block))
		return false;
	if (config_checks_full())
		return filled_try_free(pointer, &block, form);
	if (unlikely(mark_is_set(pointer, block.tag->magic)) &&
	    block_waits(pointer, &block))
		fault("free of %p: already free", pointer);
	if (config.hardened)
		hardened_free(pointer, &block);
	return config.hardened;
}

static __attribute__((noinline)) void free_by_lane(void *pointer,
						   enum block_form form)
{
	pointer = colour_take(pointer, "free");
	if (pointer && !checked_try_free(pointer, form))
		free_found(pointer, form);
}

static __attribute__((noinline)) void free_wiped(void *pointer,
						 enum block_form form)
{
	if (!config_wipes() || !hardened_try_free(pointer, HARDENED_ANY_SIZE))
		free_by_lane(pointer, form);
}

on_own_lines void heap_free_slow(void *pointer)
{
	if (unlikely(config.hardened))
		free_wiped(pointer, FORM_C);
	else if (!marked_try_free(pointer, 0))
		free_by_lane(pointer, FORM_C);
}

void heap_free_formed(void *pointer, enum block_form form)
{
	if (config_marks())
		heap_free_slow(pointer);
	else
		free_wiped(pointer, form);
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
		block_fault(pointer, block, NULL,
			    "free_sized of %p: size %zu given, block has %zu",
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

static cold void free_and_check_size(void *pointer, enum block_form form,
				     size_t size)
{
	struct block block;

	pointer = colour_take(pointer, "free_sized");
	block_find_live(pointer, "free_sized", &block);
	if (block.kind != BLOCK_FOREIGN)
		block_form_check(pointer, &block, form, form_verb(form));
	size_hint_check(pointer, &block, size);
	heap_free_judged(pointer, &block);
}

void heap_free_hinted(void *pointer, enum block_form form, size_t align,
		      const size_t *size)
{
	bool checks = config_checks_calls() && pointer;

	if (size && !align && marked_try_free(pointer, *size))
		return;
	if (config_wipes() && size && !align && *size != HARDENED_ANY_SIZE &&
	    hardened_try_free(pointer, *size))
		return;
	if (checks && align)
		align_hint_check(pointer, align);
	if (checks && size)
		free_and_check_size(pointer, form, *size);
	else if (!heap_try_free(pointer))
		heap_free_formed(pointer, form);
}
