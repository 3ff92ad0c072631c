/* layer 5.4: limits: how much the heap may have, as options and programs say
 *
 * One word each (pageheap/limit.h), which take effect with the next take. A
 * limit that is set below what is in use is served by who sets it (relief.h).
 * All are lock-free and safe in handlers.
 */
#ifndef LANE_LIMITS_H
#define LANE_LIMITS_H

#include "lanemalloc.h"
#include "pageheap/budget.h"
#include "pageheap/limit.h"

/* Takes the options' limits, and the cgroup's; once. */
void pressure_start(void);

/* Sets the limits, where `set` is not NULL, and tells them. */
void pressure_limit(const struct lanemalloc_limits *set,
		    struct lanemalloc_limits *now);

/* Takes what the cgroup says as a soft limit. */
void limit_cgroup(uint64_t high, uint64_t most);

/* Whether more is in use than a limit of this size has room for. */
static inline bool limit_is_passed(uint64_t size)
{
	return budget_resident_size() >> UNIT_SHIFT > limit_units(size);
}

#endif
