/* layer 5.3: give: where a block goes that is free from now on
 *
 *	lane_try_free()	the lane of its class here, and no further; most often
 *	block_free()	a lane here after all, for objects that go home too;
 *			their slabs; the page heap
 *
 * Lock-free; a thread that dies here loses the block in its hands, or the batch
 * that it flushes. May run in handlers; nothing here waits or allocates.
 */
#ifndef LANE_GIVE_H
#define LANE_GIVE_H

#include "cpucache/cpu_cache.h"
#include "cpucache/mark.h"
#include "cpucache/percpu.h"
#include "front/gate.h"
#include "slab/page_map.h"

/* Frees by a lane, not with checks=full; with checks=fast or hardened=1 the
 * object gets its mark first. */
static force_inline bool lane_try_free(void *pointer,
				       const struct unit_tag *tag)
{
	if (gate_read(&gate_checked.tags_end) |
	    gate_read(&gate_marked.tags_end))
		mark_set(pointer, tag->magic);
	else if (!gate_read(&anchor.tags_end))
		return false;
	return percpu_push_tagged(tag, pointer);
}

/* Frees a run, or an object that no lane took. REMOTE_LANE: of an object that
 * goes home, and waits in a lane here. */
enum remote_free block_free(void *pointer, const struct block *block);

#endif
