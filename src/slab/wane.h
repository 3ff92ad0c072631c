/* layer 3.3: wane: slabs of a class that only shrinks are used up last
 *
 * What comes back to a bin and what is taken out of it are counted against each
 * other: bin.given is what came back since the last take. Where that is several
 * batches the class shrinks, and slabs of the bin wane with each further batch
 * (slab.h): their objects go home, so that they become empty. A take that comes
 * after all is regret, and raises what has to come back next time; each
 * collection forgets half of it. All counts are hints. A thread that dies here
 * strands the slab in its hands. Lock-free.
 */
#ifndef LANE_WANE_H
#define LANE_WANE_H

#include "slab/bin_set.h"

/* n objects of the class came back to the set that the bin is of, or some were
 * taken out of it: where they only come back its slabs wane. */
void bin_note_given(struct bin *bin, unsigned size_class, unsigned n);
void bin_note_taken(struct bin *bin, unsigned size_class);

/* A collection forgets half of the regret. */
static inline void wane_forget(struct bin *bin)
{
	uint32_t regret = load_relaxed(&bin->wane_regret);

	if (regret)
		store_relaxed(&bin->wane_regret, regret / 2);
}

#endif
