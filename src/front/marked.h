/* layer 5.8: marked: malloc and free with checks=fast, where lanes serve
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

/* Whether region 0's slab that begins at an address holds an object to be
 * free. */
static force_inline bool marked_bit(const char *slab, uint32_t index)
{
	const size_t bytes = UNIT_SIZE / (UNIT_BITS_WORDS * sizeof(uint64_t));
	size_t at = (size_t)(slab - regions[0].base) / bytes;
	_Atomic(uint64_t) *bits = (void *)((char *)regions[0].bits + at);

	return load_relaxed(&bits[index / WORD_BITS]) & // hint
	       bits_one(index % WORD_BITS);
}

/* Frees what is a live object without a mark and not smaller than the size that
 * the program says, 0 where it says none; false: another way must judge it. */
static force_inline bool marked_try_free(void *pointer, size_t size)
{
	size_t at = page_map_at(pointer);
	const struct unit_tag *tag = (void *)(anchor.tags + at);
	const struct size_class *c;
	unsigned __int128 product;
	uint32_t offset, index;
	uint64_t magic;

	if (unlikely(at - anchor.tags_first >=
		     gate_read(&gate_marked.tags_end)))
		return false;
	magic = load_once(&tag->magic); /* one owner for all */
	offset = (uint32_t)(uintptr_t)pointer - tag->start;
	product = (unsigned __int128)magic * offset;
	if (unlikely((uint64_t)product >= magic))
		return false;
	index = (uint32_t)(product >> 64);
	c = class_of_lane(tag->lane);
	if (unlikely(index >= c->nr_objects) || unlikely(size > c->size) ||
	    unlikely(marked_bit((const char *)pointer - offset, index)) ||
	    unlikely(mark_is_set(pointer, magic)))
		return false;
	mark_set(pointer, magic);
	if (unlikely(!percpu_push_tagged(tag, pointer)))
		marked_refused(pointer);
	return true;
}

#endif
