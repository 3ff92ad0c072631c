/* layer 4.4: cached: whether an object lies in a lane of any CPU
 *
 * For blocks that a fault is suspected of: it looks through all slots of the
 * lanes of one class, of all ids, both areas, and the remote lanes. Others go
 * on meanwhile, so "no" is a hint: the object may have been between two lanes.
 *
 * "Yes" is exact as long as nobody but the caller could free the object. Where
 * the object is live, no slot up to a lane's top holds it; a reader may see a
 * new top and yet the old content of a slot, left from when the object was
 * there, but the push that raised the top wrote to that slot before. So a
 * find is looked at once more behind a fence of all CPUs: it then shows what
 * the push wrote, or a later value, and neither is the object. Without the
 * fence only machines that keep the order of stores and of loads are exact;
 * x86-64 does.
 *
 * Bounded by the lanes there are; writes nothing, so a thread that dies here
 * strands nothing.
 */
#ifndef LANE_CACHED_H
#define LANE_CACHED_H

#include "base/compiler.h"

/* Says whether a lane of any CPU holds the object. */
bool cached_finds(const void *object, unsigned size_class);

#endif
