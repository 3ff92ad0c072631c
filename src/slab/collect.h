/* layer 3.3: collect: empty slabs are closed, quiet ones give pages back
 *
 * Sweeps and looks over the lists of one bin; when and why is said in bin.h.
 * Each is bounded, and holds one slab at a time: a thread that dies strands
 * that. Counts of empty slabs are hints. Lock-free.
 */
#ifndef LANE_COLLECT_H
#define LANE_COLLECT_H

#include "slab/bin_set.h"

/* How a collection goes about slabs that are not empty: the memory of their
 * free objects is given back if nothing was taken from the slab for so many
 * ages (quiet.h). */
#define COLLECT_AGE_ANY 0
#define COLLECT_AGE_QUIET QUIET_AGES
#define COLLECT_AGE_NEVER ((unsigned)-1)

#define COLLECT_ALL ((unsigned)-1 >> 1) /* all slabs of a list */

/* Closes empty slabs of all bins of all ids and purges those of an age, at
 * most `most` slabs looked at in each list. Returns the number of slabs closed
 * and of bytes given back in the others, added up: 0 if nothing was done. */
size_t bin_collect_all(unsigned most, unsigned age);

/* Collects the bins of one id, each call those of another in turn. */
size_t bin_collect_next(unsigned most, unsigned age);

/* Notes that a slab in one of the owner's lists became empty, and collects
 * where they are many. The slot's may stay so. */
void bin_note_empty(struct bin *bin, struct span *slab, unsigned size_class);

/* Notes that a slab is in use again that may have been counted as empty. */
void bin_note_reuse(struct bin *bin, struct span *slab);

/* Notes that the heap has grown by a slab of this set. */
void bin_note_growth(struct bin_set *set);

/* So many bytes more are free in slabs, or less where size is below 0. */
void bin_note_freed(struct bin_set *set, int64_t size);

uint64_t collect_purged_size(void);

#endif
