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

static force_inline void wipe_set(void *object, size_t size, uint64_t mark)
{
	wipe_step *step = object, *end = step + size / sizeof(*step);
	const wipe_step none = { 0 };

	if (unlikely(size > WIPE_SHORT)) {
		__builtin_memset(object, 0, size);
	} else if (end - step < WIPE_TURN) {
		/* Some may be the same: a branch for each is dearer. */
		step[0] = step[end - step > 1] = end[-1] = none;
	} else {
		for (; step + WIPE_TURN < end; step += WIPE_TURN) {
			step[0] = step[1] = none;
			step[2] = step[3] = none;
			/* So that no call of memset comes of it. */
			__asm__ volatile("" : "+r"(step));
		}
		end[-4] = end[-3] = none;
		end[-2] = end[-1] = none;
	}
	mark_set(object, mark);
}

/* Whether the program has not written to it since, as far as its first 64 bytes
 * and its last tell: without a loop, whose end is a matter of luck. */
static force_inline bool wipe_has_ends(void *object, size_t size, uint64_t mark)
{
	const wipe_step *step = object, *end = step + size / sizeof(*step);
	const mark_word *words = object;
	uint64_t first = words[0] | (words[1] ^ mark);
	wipe_step other = { 0 };

	if (likely(end - step > WIPE_TURN)) {
		other = step[1] | step[2] | step[3];
		other |= (end[-4] | end[-3]) | (end[-2] | end[-1]);
	} else if (likely(end - step > 1)) {
		other = step[1] | step[1 + (end - step > 2)] | end[-1];
	}
	return likely(!(first | other[0] | other[1]));
}

/* The same of all of it, or WIPE_LOOK_MOST bytes, where there is time. */
static inline bool wipe_is_whole(void *object, size_t size, uint64_t mark)
{
	const mark_word *words = object;
	uint64_t other = words[0] | (words[1] ^ mark);
	size_t i, n = min_size(size, WIPE_LOOK_MOST) / sizeof(*words);

	for (i = 2; i < n; i++)
		other |= words[i];
	return !other && wipe_has_ends(object, size, mark);
}

#endif
