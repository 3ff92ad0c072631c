/* layer 5.8: hardened: malloc and free with hardened=1, where lanes serve
 *
 * The cold halves of alloc.h and free.h begin with these, inline, and find no
 * call in the usual case; what they refuse goes the way of checks=fast, which
 * looks closer and tells what is wrong. With checks=full they are not asked:
 * its footers are longer, and what is free has its fill.
 *
 *	malloc	lane --> canary and slack (canary.h)
 *	free	entry, canary, slack --> zeros, mark (wipe.h) --> ring (ring.h)
 *		--> the one that waited for longest: zeros at its ends? --> lane
 *
 * The batch that a lane is refilled with is shuffled (shuffle.h), so malloc
 * draws no number. The canary is that of a live block, and a free one ends in
 * zeros: so neither bit nor mark is asked. Of two that free one block at once
 * both may pass, as ever; then it waits twice in rings, and the second that
 * comes out is named by its slab, when the batch goes there.
 *
 * A thread that dies here loses the block in its hand, and the one that it took
 * out of the ring. Wait-free; in handlers, too.
 */
#ifndef LANE_HARDENED_H
#define LANE_HARDENED_H

#include "cpucache/percpu.h"
#include "front/canary.h"
#include "front/retire.h"
#include "front/ring.h"
#include "front/wipe.h"
#include "sample/sampler.h"
#include "system/colours.h"

#define HARDENED_ANY_SIZE SIZE_MAX

/* NULL: the rest of the cold half must do it, which counts for the profile and
 * gives colours. */
static force_inline void *hardened_try_alloc(size_t size)
{
	struct lane_offset lane;
	char *object;

	if (unlikely(size > SMALL_SIZE_MOST - CANARY_SIZE) ||
	    unlikely(!gate_read(&gate_checked.small_end)) || sample_is_on() ||
	    colours_are_on())
		return NULL;
	lane = size_lane_of(size + CANARY_SIZE);
	object = percpu_pop(lane);
	if (unlikely(!object))
		return NULL;
	mark_clear(object);
	canary_set(object, size_classes[lane.words / LANE_WORDS].size, size);
	return object;
}

/* The rest of a free: of a block that is wiped and found no ring, of one that
 * came out of its ring and found no lane. */
void hardened_wiped(void *pointer);
void hardened_waited(void *pointer);

/* What waited goes to a lane. False: it was written to, or none takes it. */
static force_inline bool hardened_try_leave(void *old, uint64_t end)
{
	const struct unit_tag *tag = page_map_try(old, end);
	const struct size_class *c;

	if (unlikely(!tag))
		return false;
	c = &size_classes[tag->size_class];
	return wipe_has_ends(old, c->size, c->magic) &&
	       likely(percpu_push_tagged(tag, old));
}

/* Behind its slab's last object no canary is read: there may be the wall. */
static force_inline bool hardened_is_object(const struct unit_tag *tag,
					    const struct size_class *c,
					    const void *pointer)
{
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;

	return likely(offset < c->nr_objects * c->size);
}

/* Frees what is a small block without a flaw, of the size that the program
 * says, as far as it does; false: another way must judge it. With colours a
 * pointer that has lost its own would reach the page map, and its canary fault:
 * the judge names it. */
static force_inline bool hardened_try_free(void *pointer, size_t size)
{
	uint64_t end = gate_read(&gate_checked.tags_end);
	const struct unit_tag *tag = page_map_try(pointer, end);
	const struct size_class *c;
	size_t asked, whole;
	void *old = NULL;

	if (unlikely(!tag) || colours_are_on())
		return false;
	c = &size_classes[tag->size_class];
	whole = c->size;
	if (unlikely(whole > SMALL_SIZE_MOST) ||
	    !hardened_is_object(tag, c, pointer) ||
	    unlikely(!canary_holds(pointer, whole, &asked)) ||
	    unlikely(size != asked && size != HARDENED_ANY_SIZE))
		return false;
	wipe_set(pointer, whole, c->magic);
	if (unlikely(!ring_swap(pointer, whole, &old)))
		hardened_wiped(pointer);
	else if (likely(old) && unlikely(!hardened_try_leave(old, end)))
		hardened_waited(old);
	return true;
}

#endif
