/* layer 5.1: wipe: free objects are zeros but for their mark
 *
 * With hardened=1, from the free on until it is handed out. A word of it that
 * is not zero, or another mark (cpucache/mark.h), was written by the program
 * after it freed the object. In the hands of who holds the object; a thread
 * that dies here loses it. Wait-free.
 */
#ifndef LANE_WIPE_H
#define LANE_WIPE_H

#include "cpucache/mark.h"

#define WIPE_SHORT 2048	    /* bytes, beyond which memset is as fast */
#define WIPE_LOOK_MOST 1024 /* bytes that are looked at */
#define WIPE_TURN 4	    /* steps side by side */

/* Sizes and addresses of objects are multiples of it. */
typedef uint64_t wipe_step __attribute__((vector_size(16), may_alias));

/* The last steps in front of `end`, none of them before `first`: some may be
 * the same. Sizes are a matter of luck, and a branch for each is dearer. */
struct wipe_tail {
	wipe_step *steps[WIPE_TURN];
};

static force_inline struct wipe_tail wipe_tail(wipe_step *first, wipe_step *end)
{
	wipe_step *from = end - WIPE_TURN, *last = end - 1;
	struct wipe_tail tail;
	unsigned i;

	from = from > first ? from : first;
	for (i = 0; i < WIPE_TURN; i++)
		tail.steps[i] = from + i < last ? from + i : last;
	return tail;
}

static force_inline void wipe_set(void *object, size_t size, uint64_t mark)
{
	wipe_step *step = object, *end = step + size / sizeof(*step);
	struct wipe_tail tail = wipe_tail(step, end);
	const wipe_step none = { 0 };

	if (unlikely(size > WIPE_SHORT))
		__builtin_memset(object, 0, size);
	else
		for (; step + WIPE_TURN < end; step += WIPE_TURN) {
			step[0] = step[1] = none;
			step[2] = step[3] = none;
			/* So that no call of memset comes of it. */
			__asm__ volatile("" : "+r"(step));
		}
	*tail.steps[0] = *tail.steps[1] = none;
	*tail.steps[2] = *tail.steps[3] = none;
	mark_set(object, mark);
}

/* Whether the program has not written to it since, as far as is looked at. */
static force_inline bool wipe_is_whole(void *object, size_t size, uint64_t mark)
{
	wipe_step *step = object, *end, other = *step++;
	struct wipe_tail tail;

	other[1] ^= mark;
	if (likely(size > sizeof(*step))) {
		end = step - 1 + min_size(size, WIPE_LOOK_MOST) / sizeof(*step);
		tail = wipe_tail(step, end);
		for (; step + WIPE_TURN < end; step += WIPE_TURN)
			other |= (step[0] | step[1]) | (step[2] | step[3]);
		other |= *tail.steps[0] | *tail.steps[1];
		other |= *tail.steps[2] | *tail.steps[3];
	}
	return likely(!(other[0] | other[1]));
}

#endif
