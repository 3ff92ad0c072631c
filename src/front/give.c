/* layer 5.3: give: where a block goes that no lane took; see give.h */
#include "front/give.h"

#include "cpucache/rseq.h"
#include "cpucache/rseq_own.h"
#include "front/gate.h"
#include "front/large.h"

/* Frees an object whose slab's owner is another id: where it goes to the lane
 * that takes nothing, by its node. */
static enum remote_free free_remote(void *pointer, const struct block *block)
{
	if (unlikely(block->tag->remote == size_classes[CLASS_LARGE].lane))
		return cpu_cache_free_by_node(pointer, block->size_class,
					      block->tag->owner);
	return cpu_cache_free_remote(pointer, block->size_class);
}

/* Frees an object that no lane took. */
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

enum remote_free block_free(void *pointer, const struct block *block)
{
	switch (block->kind) {
	case BLOCK_OBJECT:
		return object_free(pointer, block);
	case BLOCK_RUN:
		large_free(pointer, block);
		break;
	case BLOCK_FOREIGN:
	case BLOCK_NONE:
	case BLOCK_INSIDE:
	case BLOCK_GUARDED:
		break; /* go other ways: free.c */
	}
	return REMOTE_REFUSED;
}
