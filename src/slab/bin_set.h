/* layer 3.3: bin set: the bins of one id, and where they are
 *
 * An id's set is mapped when the id first takes or gives, apart from all
 * blocks, and never freed. Of racing threads one wins; the others give their
 * memory back. Where there is no memory for one any other set serves as well,
 * and the system is asked again once in SET_REFUSED_PASSES calls. A thread that
 * dies in bin_set_of() strands a few pages. Lock-free.
 */
#ifndef LANE_BIN_SET_H
#define LANE_BIN_SET_H

#include "slab/bin.h"
#include "slab/slab_stack.h"

#define SET_REFUSED_PASSES 64 /* calls for each that asks for a set again */

struct bin {
	struct slab_stack partial[2][2]; /* atomic: side, whether waning */
	_Atomic(struct span *) slot;	 /* atomic */
	struct slab_inbox inbox;	 /* atomic */
	_Atomic(uint32_t) fill;		 /* atomic: hint, 0 or 1 */
	_Atomic(uint32_t) nr_listed;	 /* atomic: hint, in partial */
	_Atomic(uint32_t) nr_empty;	 /* atomic: hint */
	_Atomic(uint32_t) fresh;	 /* atomic: hint, see below */
	_Atomic(uint32_t) given;	 /* atomic: hint, since the last take */
	_Atomic(uint32_t) wane_regret;	 /* atomic: hint, see bin.h */
	_Atomic(uint32_t) looked;	 /* atomic: hint, `given` at a round's
					  * end */
} __attribute__((aligned(CACHE_LINE)));

/* What a look may find: nothing that had none; slabs in partial[fill]; these,
 * and in the other stack some that were too young for it. */
enum bin_fresh { FRESH_NONE, FRESH_SOME, FRESH_YOUNG };

/* The bins of one id and its counters; never freed. */
struct bin_set {
	struct bin bins[NR_CLASSES];
	_Atomic(uint64_t) nr_remote_frees; /* atomic: counter */
	_Atomic(uint64_t) nr_remote_slabs; /* atomic: counter */
	_Atomic(uint64_t) nr_steals;	   /* atomic: counter */
	_Atomic(int64_t) freed;		   /* atomic: hint, not yet told */
	_Atomic(uint32_t) look_next;	   /* atomic: hint, a class */
};

/* The last is that of SLAB_SAMPLED. */
extern _Atomic(struct bin_set *) bin_sets[NR_IDS_MOST + 1] internal;

/* NULL: the id has none yet. */
static force_inline struct bin_set *bin_set_find(unsigned id)
{
	// [bin_sets] with bin_set_add(): the set's zeros
	return load_acquire(&bin_sets[id]);
}

/* Returns the id's set, made where it has none; or any other. NULL: no
 * memory. */
struct bin_set *bin_set_of(unsigned id);

/* Returns one more than the highest id that has a set, SLAB_SAMPLED aside; a
 * hint. */
unsigned bin_set_end(void);

#endif
