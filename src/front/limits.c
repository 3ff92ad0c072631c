/* layer 5.4: limits: how much the heap may have, as options and programs say */
#include "front/limits.h"

#include "front/refusal.h"
#include "front/relief.h"
#include "system/cgroup.h"
#include "system/config.h"
#include "system/report.h"
#include "system/system.h"

static _Atomic(uint32_t) limits_started; /* hint: as the options say */

void limit_cgroup(uint64_t high, uint64_t most)
{
	uint64_t soft = cgroup_soft_size(high, most);

	store_relaxed(&limit.cgroup_size, soft); // own: one word
}

/* What the program has set stays: it may be faster than a racer that began
 * before, or than who runs below its handler. */
static void limit_begin(_Atomic(uint64_t) *word, uint64_t size)
{
	uint64_t none = 0;

	cas_relaxed(word, &none, size); // own: one word
}

/* Racers store the same; a later call stores nothing. */
void pressure_start(void)
{
	struct cgroup group;
	bool found = false;

	if (load_relaxed(&limits_started))
		return;
	limit_begin(&limit.soft_size, config.limit_soft);
	limit_begin(&limit.hard_size, config.limit_hard);
	stderr_note(config.limit_hard);
	if (config.limit == CGROUP_LIMIT_AUTO)
		found = cgroup_find_root(&group);
	else if (config.limit == CGROUP_LIMIT_OWN)
		found = cgroup_find_own(&group);
	if (found)
		limit_cgroup(group.high, group.most);
	store_relaxed(&limits_started, 1);
}

/* What is to go back, and what cannot. */
static void below_tell(const char *name, uint64_t size)
{
	if (config.verbose)
		report_line("pid %d: %s=%lu is set below the %lu bytes of "
			    "units that it has",
			    system_getpid(), name, size,
			    (budget_resident_size() >> UNIT_SHIFT) *
				    LIMIT_UNIT_SIZE);
}

static void limits_apply(uint64_t hard)
{
	if (limit_is_passed(hard)) {
		below_tell("limit_hard", hard);
		pressure_now(LIMIT_HARD);
	} else if (limit_is_passed(limit_soft_size())) {
		below_tell("limit_soft", limit_soft_size());
		pressure_now(LIMIT_SOFT);
	}
}

void pressure_limit(const struct lanemalloc_limits *set,
		    struct lanemalloc_limits *now)
{
	if (set) {
		store_relaxed(&limit.soft_size, set->soft_size); // own
		store_relaxed(&limit.hard_size, set->hard_size); // own
		stderr_note(set->hard_size);
		limits_apply(set->hard_size);
	}
	*now = (struct lanemalloc_limits){
		.soft_size = load_relaxed(&limit.soft_size), // own
		.hard_size = load_relaxed(&limit.hard_size), // own
	};
}
