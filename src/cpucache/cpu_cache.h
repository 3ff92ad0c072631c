/* layer 4.3: CPU cache: the lanes of each CPU, between the program and slabs
 *
 * An id (mm_cid or CPU number) gets its lane areas when it first misses: two
 * of them, one in use and one empty spare, so that a cache can be taken away
 * from its CPU whole (drain.h). A miss refills a lane from the id's bin by a
 * batch, an overflow flushes a batch to the objects' slabs.
 *
 * Capacity: a lane's limit starts at 0 and becomes a batch with the first miss
 * or overflow. Beyond, it grows by a batch where a longer lane would have saved
 * work: with the first overflow after a miss, and with a miss that answers a
 * flush, as many misses as there were flushes. So a CPU that only allocates or
 * only frees keeps lanes of a batch, and phases that allocate and free n
 * objects in turn get a lane of n in three turns. The sum of limit * object
 * size over the id's lanes stays within config.cpu_cache, a lane of medium
 * sizes within an eighth of it; beyond the sum, growing takes from the limits
 * of other lanes in turn.
 *
 * Where flush follows flush and no refill comes between, the program only
 * frees: the limit goes down to a batch, since each cached object may be the
 * last that keeps a slab from being empty. A drain sets all limits back to 0.
 * Limits, used_size and what decides about them are hints: a wrong one costs a
 * refill.
 *
 * Tiny objects, smaller than a cache line, go home: were they handed out where
 * they were freed, CPUs would write to each other's lines again and again.
 * Those of another id's slab wait in the class's home lane, from which nothing
 * is allocated, until a batch of them goes to the slabs.
 *
 * All functions are lock-free and async-signal-safe. A thread that dies here
 * loses the batch in its hands: at most 64 KiB, or one object of a medium
 * size; in a flush also the object being freed.
 */
#ifndef LANE_CPU_CACHE_H
#define LANE_CPU_CACHE_H

#include "cpucache/percpu.h"
#include "cpucache/rseq.h"
#include "slab/size_class.h"

/* The control block of one id; the lanes themselves lie elsewhere. */
struct cpu_cache {
	_Atomic(char *) areas;		/* atomic: set once; two lane areas */
	_Atomic(uint64_t) used_size;	/* atomic: hint, sum of the limits */
	_Atomic(uint32_t) shrink_next;	/* atomic: hint, class to shrink */
	_Atomic(uint32_t) seen;		/* atomic: hint, events at last look */
	_Atomic(uint64_t) nr_refills;	/* atomic: counter */
	_Atomic(uint64_t) nr_flushes;	/* atomic: counter */
	_Atomic(uint64_t) nr_aborts;	/* atomic: counter */
	_Atomic(uint64_t) nr_direct;	/* atomic: counter */
	/* atomic: hint; flushes of each class since its last refill */
	_Atomic(uint8_t) nr_flushed[NR_CLASSES];
	_Atomic(uint32_t) nr_refused;	/* atomic: hint, see areas_map() */
	/* atomic: hint; flushes of each class without a miss to answer them */
	_Atomic(uint16_t) nr_owed[NR_CLASSES];
} __attribute__((aligned(CACHE_LINE)));

/* The fast path found nothing, or was interrupted. NULL: no memory. */
void *cpu_cache_alloc_slow(unsigned class);
/* The fast path found no room, or was interrupted, or saw the object on top
 * of the lane already, which is a fault(). */
void cpu_cache_free_slow(void *object, unsigned class);

/* A tiny object whose slab another id owns. */
enum home {
	HOME_REFUSED, /* it must take the way of all others */
	HOME_LANE,    /* it waits in its home lane */
	HOME_FLUSHED, /* likewise, and those before it went to their slabs */
};
enum home cpu_cache_free_home(void *object, unsigned class);

/* The direct path: straight to the slabs, one object. */
void *cpu_cache_alloc_direct(unsigned class);
void cpu_cache_free_direct(void *object);

/* NULL where the id has no lanes. */
struct cpu_cache *cpu_cache_of(unsigned id);
unsigned cpu_cache_nr_ids(void);
char *cpu_cache_area(struct cpu_cache *cache, unsigned which);
_Atomic(uint64_t) *cpu_cache_table_word(unsigned id);
/* class: or one of the home lanes' rows, below NR_LANES. */
static inline struct lane *cpu_cache_lane(char *area, unsigned class)
{
	return (struct lane *)(void *)(area + 8 * size_classes[class].lane);
}

/* Gives what the calling thread's CPU holds to the slabs (without drain). */
void cpu_cache_flush_own(void);

struct cpu_cache_stats {
	uint64_t nr_refills, nr_flushes, nr_aborts, nr_direct;
	uint64_t nr_cpu_caches;
	uint64_t cached_size;
};
void cpu_cache_stats(struct cpu_cache_stats *out);

#endif
