/* layer 3.2: quiet: since when slabs lie still, and for how long they have to
 *
 * Time is counted in ages. One passes with each tick, and with each 16th of
 * resident memory (4 MiB at least) by which the heap grows, or by which more of
 * it is free in slabs than before: a program that is a second old may have gone
 * through many phases, the memory that it grows by is better taken from slabs
 * that it left behind, and one that has freed what it had may make no call any
 * more. span.used_at is the age at which
 * objects were taken from the slab last, or at which it was listed after it
 * was full. A slab is quiet when it is QUIET_AGES old.
 *
 * Regret: pages that were given back and are wanted again within REGRET_AGES
 * after the slab's last use should have been kept. Where they are more than a
 * fourth of what was given back lately, and than a MiB, the brake rises a
 * notch, which doubles the age that makes a slab quiet; each age without regret
 * takes an eighth of a notch away. So a program that comes back to its slabs in
 * turns pays for a few page faults, and not for all of them.
 *
 * Everything here is a hint: ages are 16 bits wide in a span and may wrap, two
 * threads may count one step twice or lose a sum. A wrong one costs a page
 * fault, or memory for a tick. A thread that dies leaves nothing behind.
 * Wait-free.
 */
#ifndef LANE_QUIET_H
#define LANE_QUIET_H

#include "base/atomic.h"
#include "pageheap/region.h"

#define QUIET_AGES 2
#define REGRET_AGES 16
#define QUIET_GROWTH_LEAST ((size_t)4 << 20)

/* An age ends: a tick has passed. */
void quiet_age_ends(void);

/* Notes a new slab; whether resident memory is larger than ever in this age. */
bool quiet_heap_grew(void);

/* Notes that so much more is free in slabs, or less where it is below 0;
 * whether that is more than ever in this age. */
bool quiet_heap_shrank(int64_t size);

/* Notes that the holder used the slab now. */
void quiet_use(struct span *slab);

/* Notes that the holder took objects out of pages that were clean. */
void quiet_note_taken(const struct span *slab, unsigned nr_pages);

void quiet_note_purged(size_t size);

/* Returns the ages since the slab was used. */
unsigned quiet_age(const struct span *slab);

/* Returns what a number of ages means while the brake is on. */
unsigned quiet_braked(unsigned ages);

#endif
