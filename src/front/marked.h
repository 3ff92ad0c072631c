/* layer 5.4: marked: malloc and free with checks=fast, where lanes serve
 *
 * The cold halves of alloc.h and free.h begin with these, inline, which look at
 * all that checks=fast looks at and nothing else; what they refuse goes on in
 * the cold half, which tells what is wrong.
 *
 *	malloc	lane --> no mark (mark.h)
 *	free	entry, place in the slab, bit, mark --> mark --> lane
 *
 * The object's bit and its slab's geometry are read after its entry: of a block
 * that is freed twice they may be another slab's by then, and decide nothing
 * but which of the two ways it goes. A push that fails leaves the mark, so such
 * a block goes to marked_refused(), which does not look at it; a thread that
 * dies between mark and push loses the block in its hand. In a handler both may
 * run between any two instructions here: the object is out of its lane, or not
 * yet in it. Wait-free.
 */
#ifndef LANE_MARKED_H
#define LANE_MARKED_H

#include "cpucache/mark.h"
#include "cpucache/percpu.h"
#include "sample/sampler.h"
#include "slab/page_map.h"

/* NULL: the rest of the cold half must do it, which counts for the profile. */
static force_inline void *marked_try_alloc(size_t size)
{
	void *object;

	if (unlikely(size >= gate_read(&gate_marked.small_end)))
		return NULL;
	object = percpu_pop(size_lane_of(size));
	if (likely(object))
		mark_clear(object);
	return object;
}

/* Frees an object that has its mark, and that no lane took. */
void marked_refused(void *pointer);

/* Whether an object of an entry of region 0 is there, and live as far as its
 * slab knows. */
static force_inline bool marked_is_live(const struct unit_tag *tag,
					const struct size_class *c,
					const void *pointer)
{
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;
	unsigned __int128 product =
		(unsigned __int128)load_once(&tag->magic) * offset;
	struct block block = {
		.region = &regions[0],
		.unit = region_unit(&regions[0], (const char *)pointer - offset),
		.index = (uint32_t)(product >> 64),
	};

	return likely(block.index < c->nr_objects) &&
	       likely(!page_map_is_free(&block));
}

/* Frees what is a live object without a mark and not smaller than the size that
 * the program says, 0 where it says none; false: another way must judge it. */
static force_inline bool marked_try_free(void *pointer, size_t size)
{
	uint64_t end = gate_read(&gate_marked.tags_end);
	const struct unit_tag *tag = page_map_try(pointer, end);
	const struct size_class *c;

	if (unlikely(!tag))
		return false;
	c = &size_classes[tag->size_class];
	if (!marked_is_live(tag, c, pointer) || unlikely(size > c->size) ||
	    unlikely(mark_is_set(pointer, c->magic)))
		return false;
	mark_set(pointer, c->magic);
	if (unlikely(!percpu_push_tagged(tag, pointer)))
		marked_refused(pointer);
	return true;
}

#endif
