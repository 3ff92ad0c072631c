/* layer 2.5: limit: words and counters; contract in limit.h */
#include "pageheap/limit.h"

#include "base/atomic.h"

struct limit limit;

uint64_t limit_soft_size(void)
{
	uint64_t soft = load_relaxed(&limit.soft_size);	    // own: one word
	uint64_t cgroup = load_relaxed(&limit.cgroup_size); // own: one word

	if (!soft || !cgroup)
		return soft | cgroup;
	return min_size(soft, cgroup);
}

void limit_note_growth(uint32_t before, uint32_t after)
{
	uint32_t soft = limit_soft_units();

	if (unlikely(after > soft) && before <= soft)
		limit_ask(LIMIT_SOFT);
}

void limit_note_hit(void)
{
	add_relaxed(&limit.nr_hits, 1);
}

void limit_ask(enum limit_reason reason)
{
	uint32_t none = LIMIT_NONE;

	cas_relaxed(&limit.asked, &none, reason);
}

enum limit_reason limit_take_asked(void)
{
	enum limit_reason reason;

	if (!limit_is_asked())
		return LIMIT_NONE;
	reason = take_relaxed(&limit.asked, LIMIT_NONE);
	if (reason != LIMIT_NONE) {
		store_relaxed(&limit.last, reason);
		add_relaxed(&limit.nr_served, 1);
	}
	return reason;
}
