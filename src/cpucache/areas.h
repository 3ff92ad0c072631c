/* layer 4.3: areas: the memory of the lanes of each id
 *
 * An id (mm_cid or CPU number) gets its lane areas when it first misses: two
 * of them, one in use and one empty spare, so that a cache can be taken away
 * from its CPU whole (drain.h). An area has all lanes at its head and their
 * slots behind them. Of threads that make them at once one wins, the others
 * give theirs back; whoever finds areas without a table word (their maker died
 * or sleeps) sets it. So a thread that dies here strands one pair of areas at
 * most, and nothing once `areas` is set. Lock-free.
 */
#ifndef LANE_AREAS_H
#define LANE_AREAS_H

#include "cpucache/percpu.h"
#include "slab/bin.h"
#include "slab/size_class.h"

/* The control block of one id; the lanes themselves lie elsewhere. */
struct cpu_cache {
	_Atomic(char *) areas;	     /* atomic: set once; two lane areas */
	_Atomic(uint64_t) used_size; /* atomic: hint, sum of the limits */
	_Atomic(uint64_t) quota;     /* atomic: bytes of the pool, capacity.h */
	_Atomic(uint32_t) shrink_next; /* atomic: hint, class to shrink */
	_Atomic(uint32_t) seen;	       /* atomic: hint, events at last look */
	_Atomic(uint64_t) nr_refills;  /* atomic: counter */
	_Atomic(uint64_t) nr_flushes;  /* atomic: counter */
	_Atomic(uint64_t) nr_aborts;   /* atomic: counter */
	_Atomic(uint64_t) nr_direct;   /* atomic: counter */
	/* atomic: hint; flushes of each class since its last refill */
	_Atomic(uint8_t) nr_flushed[NR_CLASSES];
	_Atomic(uint32_t) nr_refused; /* atomic: hint, see areas_map() */
	_Atomic(uint32_t) nr_passes;  /* atomic: hint, see lane_passes() */
	_Atomic(uint64_t) dropping;   /* atomic: see drain.h; not 0: somebody
				       * gives its spare area's slots back */
	/* atomic: hint; flushes of each class without a miss to answer them */
	_Atomic(uint16_t) nr_owed[NR_CLASSES];
} __attribute__((aligned(CACHE_LINE)));

extern struct cpu_cache cpu_caches[NR_IDS_MOST] internal;

/* The lanes of ids that have none: closed ones (percpu.h). Idempotent;
 * before any section may run. */
void areas_start(void);

/* Closes all lanes of an empty area that nobody uses. */
void areas_close(char *area);

/* Gives the id its lanes, unless it has them. False: no memory. */
bool areas_install(unsigned id, struct cpu_cache *cache);

/* Returns a lane of the area that the id uses now; where it has none, one that
 * is empty and takes nothing. */
struct lane *areas_lane(unsigned id, unsigned size_class);

/* Returns the count of the area that the id uses now, or of that which all ids
 * without lanes share (percpu.h). */
_Atomic(int64_t) *areas_count(unsigned id);

/* Returns the id's control block; NULL where the id has no lanes. */
struct cpu_cache *cpu_cache_of(unsigned id);
unsigned cpu_cache_nr_ids(void);
char *cpu_cache_area(struct cpu_cache *cache, unsigned which);
_Atomic(uint64_t) *cpu_cache_table_word(unsigned id);
/* Returns the lane of a class, or of a remote lanes' row, below NR_LANES. */
static inline struct lane *cpu_cache_lane(char *area, unsigned size_class)
{
	return (struct lane *)(void *)(area +
				       8 * size_classes[size_class].lane);
}

#endif
