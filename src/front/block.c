/* layer 5.3: block: what the program gives back, as found or told of */
#include "front/block.h"

#include "cpucache/cached.h"
#include "cpucache/mark.h"
#include "front/block_fault.h"
#include "front/quarantine.h"
#include "guard/misuse.h"
#include "guard/pool.h"
#include "slab/slab.h"
#include "system/config.h"
#include "system/fault.h"

static cold void find_guarded(const void *pointer, const char *verb,
			      struct block *block)
{
	if (guarded_find(pointer, block))
		return;
	misuse_pointer(pointer, verb);
	block->index = BLOCK_LOST;
	block->size = 0;
}

void block_find(const void *pointer, const char *verb, struct block *block)
{
	bool is_free = false;

	page_map_find(pointer, block);
	switch (block->kind) {
	case BLOCK_OBJECT:
		is_free = page_map_is_free(block);
		break;
	case BLOCK_RUN:
		is_free = !block->nr_units;
		break;
	case BLOCK_FOREIGN:
		break;
	case BLOCK_GUARDED:
		find_guarded(pointer, verb, block);
		break;
	case BLOCK_NONE:
	case BLOCK_INSIDE:
		block_fault(pointer, block, NULL, "%s of %p: %s", verb, pointer,
			    page_map_fault_text(block));
	}
	if (is_free)
		block_fault(pointer, block, NULL, "%s of %p: already free",
			    verb, pointer);
}

/* What hardened=1 or checks=full put into the quarantine has no live footer;
 * only without one is it worth a search. */
static cold bool run_waits(const void *pointer, const struct block *block)
{
	struct footer footer;

	block_footer_read(pointer, block, &footer);
	return footer.state != FOOTER_LIVE && quarantine_has(pointer);
}

bool block_waits(const void *pointer, const struct block *block)
{
	if (unlikely(config.hardened) && block->kind == BLOCK_RUN)
		return run_waits(pointer, block);
	if (block->kind != BLOCK_OBJECT ||
	    !mark_is_set(pointer, block->tag->magic))
		return false;
	return cached_finds(pointer, block->size_class) ||
	       (config.hardened && quarantine_has(pointer));
}

void block_find_live(const void *pointer, const char *verb, struct block *block)
{
	block_find(pointer, verb, block);
	if (config_checks_fast() && block_waits(pointer, block))
		fault("%s of %p: already free", verb, pointer);
}

void block_form_check(const void *pointer, const struct block *block,
		      enum block_form form, const char *verb)
{
	static const char *const makers[NR_FORMS] = {
		[FORM_C] = "malloc",
		[FORM_NEW] = "new",
		[FORM_NEW_ALIGNED] = "aligned new",
		[FORM_ARRAY] = "new[]",
		[FORM_ARRAY_ALIGNED] = "aligned new[]",
	};
	struct footer footer;

	if (!config_checks_pairs() || form == FORM_ANY ||
	    !block_footer_of(block))
		return;
	block_footer_read(pointer, block, &footer);
	if (footer.state != FOOTER_LIVE || footer.form == FORM_ANY ||
	    footer.form == form)
		return;
	block_fault(pointer, block, NULL, "%s of %p: made by %s", verb, pointer,
		    makers[footer.form]);
}

/* What hardened=1 left of a freed object, which somebody carries. */
static bool is_wiped_object(const void *pointer, const struct block *block)
{
	return config.hardened && block->kind == BLOCK_OBJECT && block->tag &&
	       mark_is_set(pointer, block->tag->magic);
}

size_t block_usable_size(const void *pointer, const struct block *block,
			 const char *verb)
{
	struct footer footer;
	const char *at = NULL;

	if (!block_footer_of(block))
		return block->size;
	block_footer_read(pointer, block, &footer);
	if ((footer.state == FOOTER_FREED && config_checks_full()) ||
	    (footer.state != FOOTER_LIVE && is_wiped_object(pointer, block)))
		block_fault(pointer, block, NULL, "%s of %p: already free",
			    verb, pointer);
	if (footer.state != FOOTER_LIVE)
		block_fault(pointer, block,
			    (const char *)pointer + block->size -
				    block_footer_size(),
			    "%s of %p: written behind its end", verb, pointer);
	if (config_checks_full() || config.hardened)
		at = block_slack_look(pointer, block, &footer);
	if (at)
		block_fault(pointer, block, at,
			    "%s of %p: written behind its %zu bytes", verb,
			    pointer, footer.size);
	return footer.size;
}

void block_reuse_check(const void *pointer, const struct block *block,
		       const char *verb)
{
	if (block->kind == BLOCK_OBJECT && !block_is_as_freed(pointer, block))
		block_fault(pointer, block, block_fill_look(pointer, block),
			    "%s of %p: written to after it was freed", verb,
			    pointer);
}
