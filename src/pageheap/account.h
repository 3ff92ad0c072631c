/* layer 2.6: account: what is claimed and what is free and dirty, in units
 *
 * In one word (free dirty << 32 | claimed), so that take and give cost one
 * atomic addition. A giver adds to it before it releases and a taker subtracts
 * after it claimed, so that neither half is ever below 0. Threads that die in
 * between leave it wrong for good, and then too high: the budget steers by it
 * (budget.h), and the hard limit stands on it. A take counts before it uses
 * what it claimed, a purge after the system has the memory; what is given stays
 * counted till then. Below a hard limit a take is a CAS, so that nobody is
 * refused for a unit that another one only tried to take.
 *
 * All operations are wait-free; with a hard limit budget_try_taken() is
 * lock-free.
 */
#ifndef LANE_ACCOUNT_H
#define LANE_ACCOUNT_H

#include "pageheap/budget.h"

/* Counts nr claimed units, nr_dirty of them from the free dirty ones. False:
 * the hard limit has no room for the others; nothing changed. */
bool budget_try_taken(uint32_t nr, uint32_t nr_dirty);

/* Whether nr units that are clean could be taken now. */
bool budget_has_room(uint32_t nr);

/* Counts nr claimed units, all dirty, that are about to be released. */
void budget_given(uint32_t nr);

/* Counts nr units that went back to the system in nr_calls calls. */
void budget_purged(uint32_t nr, uint32_t nr_calls);

/* Counts nr claimed units that went back to the system by one call now, and are
 * about to be released. */
void budget_given_purged(uint32_t nr);

#endif
