/* layer 4.3: CPU cache: the lanes of each CPU, between the program and slabs
 *
 * A miss refills a lane of the id's area (areas.h) from the id's bin by a
 * batch, an overflow flushes a batch to the objects' slabs. How long lanes are
 * is another matter (capacity.h).
 *
 * Tiny objects, smaller than a cache line, go home: were they handed out where
 * they were freed, CPUs would write to each other's lines again and again.
 * Those of another id's slab wait in the class's remote lane, from which
 * nothing is allocated, until a batch of them goes to the slabs. So do objects
 * of any size whose slab wanes (slab.h), on every id.
 *
 * Where memory has several nodes (system/nodes.h), larger ones of another
 * node's slab go home, too: up to FAR_SIZE_MOST by the far lane, from which
 * nothing is allocated and which holds objects of all classes, beyond that at
 * once. Their slabs' entries name a lane that takes nothing, so that the cold
 * half sees each that another id frees, and gives its own lane those that are
 * near.
 *
 * All functions are lock-free and async-signal-safe. A thread that dies here
 * loses the batch in its hands: at most 64 KiB, or one object of a medium
 * size; in a flush also the object being freed.
 */
#ifndef LANE_CPU_CACHE_H
#define LANE_CPU_CACHE_H

#include "cpucache/areas.h"
#include "cpucache/rseq.h"

/* Refills the lane in which the fast path found nothing; where it was only
 * interrupted pops once more. NULL: no memory. */
void *cpu_cache_alloc_slow(unsigned size_class);
/* Flushes the lane in which the fast path found no room, or saw the object on
 * top already, which is a fault(); where it was only interrupted pushes once
 * more. */
void cpu_cache_free_slow(void *object, unsigned size_class);

/* Frees an object that goes home. */
enum remote_free {
	REMOTE_REFUSED, /* it must take the way of all others */
	REMOTE_LANE,	/* it waits in its remote lane */
	REMOTE_FLUSHED, /* and those before it went to their slabs */
};
enum remote_free cpu_cache_free_remote(void *object, unsigned size_class);
/* Frees a larger one, whose slab's owner is another id, perhaps a far one. */
enum remote_free cpu_cache_free_by_node(void *object, unsigned size_class,
					unsigned owner);

/* Go straight to the slabs, an object at a time: the direct path. */
void *cpu_cache_alloc_direct(unsigned size_class);
void cpu_cache_free_direct(void *object);

/* Gives what the calling thread's CPU holds to the slabs (without drain). */
void cpu_cache_flush_own(void);

struct cpu_cache_stats {
	uint64_t nr_refills, nr_flushes, nr_aborts, nr_direct;
	uint64_t nr_cpu_caches;
	uint64_t cached_size;
};
void cpu_cache_stats(struct cpu_cache_stats *out);

/* Returns the end of the ids that may have a cache, or served directly. */
unsigned cpu_cache_ids_end(void);

/* Adds those of one id, and its cached objects by class where nr_cached is not
 * NULL (NR_CLASSES of them). */
void cpu_cache_add_stats(unsigned id, struct cpu_cache_stats *out,
			 uint64_t *nr_cached);

#endif
