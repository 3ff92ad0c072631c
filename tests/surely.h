/* surely: sections that the kernel aborts are repeated, so that a test's
 * numbers are exact on a busy machine too. Include it before the code under
 * test. */
#ifndef SURELY_H
#define SURELY_H

#include "cpucache/cpu_cache.h"

static struct lane *lane_now(struct lane_offset lane)
{
	_Atomic(uint64_t) *word = cpu_cache_table_word(rseq_current_id());

	return (void *)(anchor.base + load_relaxed(word) +
			8 * lane.words); // own
}

static uint64_t lane_count(struct lane_offset lane)
{
	return lane_nr(lane_now(lane));
}

static bool lane_takes(struct lane_offset lane, const void *object)
{
	uint64_t n = lane_count(lane);
	struct lane *l = lane_now(lane);

	return n < lane_limit(l) &&
	       !(n && l->slots[n - 1] == object);
}

static void *surely_pop(struct lane_offset lane)
{
	void *object;

	do {
		object = percpu_pop(lane);
	} while (!object && lane_count(lane));
	return object;
}

static bool surely_push(struct lane_offset lane, void *object)
{
	bool done;

	do {
		done = percpu_push(lane, object);
	} while (!done && lane_takes(lane, object));
	return done;
}

static int surely_pop_batch(struct lane_offset lane, void **out, unsigned most)
{
	int n;

	do {
		n = percpu_pop_batch(lane, out, most);
	} while (n < 0);
	return n;
}

static int surely_push_batch(struct lane_offset lane, void *const *in,
			     unsigned most)
{
	int n;

	do {
		n = percpu_push_batch(lane, in, most);
	} while (n < 0);
	return n;
}

#define percpu_pop surely_pop
#define percpu_push surely_push
#define percpu_pop_batch surely_pop_batch
#define percpu_push_batch surely_push_batch

#endif
