/* layer 2.6: regions: placing, making and publishing regions
 *
 * Region 0 is raced for without waiting: every racer takes places of its own
 * and maps and fills the metadata there, then one CAS of first_region (where
 * those metadata begin) decides. Winner and losers alike, and whoever comes
 * while the winner is asleep or dead, compute the same layout from what the
 * winner's metadata say of themselves (struct seed) and store the same values
 * into regions[0]; the losers' mappings go back.
 *
 * A further region is made first; then a slot goes
 *
 *	NONE --CAS--> CLAIMED --store--> READY
 *
 * and since nothing between the two can fail, slots fill in order. A thread
 * that dies in CLAIMED costs its slot and its addresses; searchers pass over
 * the slot.
 *
 * Both functions are lock-free.
 */
#ifndef LANE_REGIONS_H
#define LANE_REGIONS_H

#include "pageheap/region.h"

/* Makes region 0, once; later calls return at once. Threads may race: each
 * loser gives its memory back. False: no memory. Lock-free. */
bool region_start(void);

/* Adds a region with at least nr_units free in one run. False: no addresses,
 * the kernel refuses that much memory, or the table is full; then all is as
 * before. Lock-free. */
bool region_add(size_t nr_units);

#endif
