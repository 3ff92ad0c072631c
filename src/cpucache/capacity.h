/* layer 4.3: capacity: how many objects each lane of an id may hold
 *
 * A lane's limit starts at 0 and becomes a batch with the first miss or
 * overflow. Beyond, it grows by a batch where a longer lane would have saved
 * work: with the first overflow after a miss, and with a miss that answers a
 * flush, as many misses as there were flushes. So a CPU that only allocates
 * or only frees keeps lanes of a batch, and phases that allocate and free n
 * objects in turn get a lane of n in three turns. The sum of limit * object
 * size over the id's lanes stays within config.cpu_cache, a lane of medium
 * sizes within an eighth of it; beyond the sum, growing takes from the
 * limits of other lanes in turn.
 *
 * Lanes of objects that go home (cpu_cache.h) count like all others, and grow
 * with the first flush to the batch that goes together; where the bytes do not
 * allow that, less of them wait, and each goes to its slab at once.
 *
 * All ids together may hold a share of the heap, and what two of them may at
 * least, whatever their number, and OWN_LEAST each; beyond a soft limit
 * (pageheap/limit.h) next to nothing.
 *
 *	all = max(config.cpu_cache * min(CPUs, 2), claimed / 8)
 *	own share = max(all / 8 / CPUs, OWN_LEAST)	nobody is asked
 *	pool = all * 7 / 8		of which ids take their quotas
 *	sum of limits <= min(config.cpu_cache, own share + quota)
 *	sum of quotas <= pool
 *
 * So a few that work hard may have much, and one that begins has something. An
 * id takes its quota by a CAS of the pool's word, in steps, and gives it back
 * where it does not use it, where a heap that shrank has made the pool smaller,
 * where it has more than others who ask, and when it is drained (an idle one
 * is, by the helper). Bytes of the pool move one way at a time, each by the one
 * who won the CAS: a thread that dies in between strands a step, for all ids.
 * What else is wrong for a moment, as others come or the heap shrinks, is
 * mended by the next that wants to grow.
 *
 * An id that the pool refuses moves capacity between its own lanes, which costs
 * more than a refill where many classes want it in turn: so it tries to grow
 * once and then lets POOR_PASSES - 1 misses and overflows pass.
 *
 * Where flush follows flush and no refill comes between, the program only
 * frees: the limit goes down to a batch, since each cached object may be the
 * last that keeps a slab from being empty. A drain sets all limits back to
 * 0. Limits, used_size and what decides about them are hints: a wrong one
 * costs a refill. Lock-free; a limit that was cut leaves its objects to
 * lane_trim(), and a thread that dies there has a batch in its hand.
 */
#ifndef LANE_CAPACITY_H
#define LANE_CAPACITY_H

#include "cpucache/areas.h"

/* Notes that the lane missed: where that answers a flush neither would have
 * been, had the lane been longer by a batch, so it grows; then the refill is
 * noted. */
void capacity_miss(unsigned id, struct cpu_cache *cache, unsigned size_class);
void capacity_note_refill(struct cpu_cache *cache, unsigned size_class);

/* Notes that the lane is full. True: it grew, as after a miss, before anything
 * is flushed. That stands for a flush, so that the next one does not grow
 * it. */
bool capacity_overflow(unsigned id, struct cpu_cache *cache,
		       unsigned size_class);

/* Makes room where a remote lane, or the far one, took no more. True: it
 * grew. */
bool capacity_go_home(unsigned id, struct cpu_cache *cache, unsigned remote);

/* Returns what all ids may hold together now. */
uint64_t capacity_all_most(void);

/* Notes that the id's lanes were drained, and all limits are 0. */
void capacity_forget(struct cpu_cache *cache);

/* Notes that a batch was flushed. */
void capacity_note_flush(unsigned id, struct cpu_cache *cache,
			 unsigned size_class);

#endif
