/* layer 2.6: account: units in one word, and the hard limit */
#include "pageheap/account.h"

#include "pageheap/limit.h"

/* Claimed and free dirty units together. */
static uint64_t units_resident(uint64_t units)
{
	return (uint32_t)units + (units >> 32);
}

/* Under a hard limit nobody adds what is beyond it, not for a moment: so nobody
 * is refused for a unit that another one only tried to take. */
static cold bool budget_try_charge(uint64_t change, uint32_t most,
				   uint64_t *before)
{
	uint64_t old = budget_units(), now;

	do {
		now = old + change;
		if (units_resident(now) > most &&
		    units_resident(now) > units_resident(old))
			return false;
	} while (!cas_relaxed(&budget.units, &old, now));
	*before = old;
	return true;
}

bool budget_try_taken(uint32_t nr, uint32_t nr_dirty)
{
	uint64_t change = nr - ((uint64_t)nr_dirty << 32), old;
	uint32_t most = limit_hard_units();

	if (likely(most == LIMIT_NO_UNITS))
		old = add_relaxed(&budget.units, change);
	else if (!budget_try_charge(change, most, &old))
		return false;
	budget_lower((old + change) >> 32);
	budget_raise_peak((uint32_t)(old + change));
	if (nr != nr_dirty)
		limit_note_growth((uint32_t)units_resident(old),
				  (uint32_t)units_resident(old + change));
	return true;
}

bool budget_has_room(uint32_t nr)
{
	uint32_t most = limit_hard_units();

	return likely(most == LIMIT_NO_UNITS) ||
	       units_resident(budget_units()) + nr <= most;
}

void budget_given(uint32_t nr)
{
	add_relaxed(&budget.units, ((uint64_t)nr << 32) - nr);
}

static void budget_count_purged(uint32_t nr, uint32_t nr_calls)
{
	// counter
	add_relaxed(&budget.purged_size, (uint64_t)nr << UNIT_SHIFT);
	add_relaxed(&budget.nr_purges, nr_calls);
}

void budget_purged(uint32_t nr, uint32_t nr_calls)
{
	uint64_t change = (uint64_t)nr << 32;
	uint64_t old = sub_relaxed(&budget.units, change);

	budget_lower((old - change) >> 32);
	budget_count_purged(nr, nr_calls);
}

void budget_given_purged(uint32_t nr)
{
	sub_relaxed(&budget.units, nr);
	budget_count_purged(nr, 1);
	budget_purge_time();
}
