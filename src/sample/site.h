/* layer 4.6: site: the addresses in all stacks, each with a number
 *
 * One word an address, 0 where none is. Words are only ever set, by CAS from 0:
 * of two threads that bring the same address the one that comes second finds
 * it in the same place. So a number means one address for ever, and a thread
 * that dies leaves an address that may have no user.
 */
#ifndef LANE_SITE_H
#define LANE_SITE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Takes zeros for so many entries at start, as racing threads do alike. */
void site_start(void *entries, uint64_t nr);

/* Gives an address its number, from 1 on; 0: the table is full there. */
uint32_t site_intern(uint64_t address);

/* Returns the address of a number that site_intern() gave, or 0 for one that it
 * may give yet. */
uint64_t site_address(uint32_t site);

/* Returns what numbers are at most. */
uint32_t site_nr(void);

#endif
