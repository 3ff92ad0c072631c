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
#define WIPE_STEPS 4	    /* side by side, of one turn */

/* Sizes and addresses of objects are multiples of it. */
typedef uint64_t wipe_step __attribute__((vector_size(16), may_alias));

static force_inline void wipe_set(void *object, size_t size, uint64_t mark)
{
	wipe_step *step = object, *end = step + size / sizeof(*step);

	if (unlikely(size > WIPE_SHORT))
		__builtin_memset(object, 0, size);
	else {
		for (; end - step >= WIPE_STEPS; step += WIPE_STEPS) {
			step[0] = step[1] = (wipe_step){ 0 };
			step[2] = step[3] = (wipe_step){ 0 };
			/* So that no call of memset comes of it. */
			__asm__ volatile("" : "+r"(step));
		}
		for (; step < end; step++) {
			*step = (wipe_step){ 0 };
			__asm__ volatile("" : "+r"(step));
		}
	}
	mark_set(object, mark);
}

/* Whether the program has not written to it since, as far as is looked at. */
static force_inline bool wipe_is_whole(const void *object, size_t size,
				       uint64_t mark)
{
	const wipe_step *step = object, *end;
	wipe_step even = step[0], odd = { 0 };

	end = step + min_size(size, WIPE_LOOK_MOST) / sizeof(*step);
	even[1] ^= mark;
	for (step++; end - step >= WIPE_STEPS; step += WIPE_STEPS) {
		even |= step[0] | step[1];
		odd |= step[2] | step[3];
	}
	for (; step < end; step++)
		odd |= *step;
	even |= odd;
	return likely(!(even[0] | even[1]));
}

#endif
