/* layer 4.7: trace: the stacks that allocate, each kept once, with its counts
 *
 * A record is a piece of a flat array of words, handed out from its beginning
 * on, and never goes: hash, addresses (their numbers, site.h), counts. An index
 * (levels.h) leads from the hash to it: one word an entry, 0 or where the
 * record begins, set by CAS once the record is whole.
 *
 *	pieces	0 .. used, by CAS of `used`; full: the sample is dropped
 *	record	its maker alone writes it, then publishes it by the CAS; who
 *		loses to another stack goes on to the next entry, and to the
 *		same stack takes that one and gives its piece back if it is
 *		still the last
 *
 * Counts are sums of words that any thread adds to, at any time; each grows by
 * itself, so that a reader sees sums of a moment that differ by what is being
 * added. A thread that dies between record and index strands a piece. All but
 * the CAS of `used`, which is lock-free, is wait-free.
 */
#ifndef LANE_TRACE_H
#define LANE_TRACE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Sampled blocks, their bytes; what they stand for (in 2^-CHANCE_SHIFT blocks,
 * in bytes). */
/* clang-format off */
#define TRACE_COUNTS(X)                                               \
	X(ALLOCS) X(ALLOC_BYTES) X(ALLOC_OBJECTS) X(ALLOC_SPACE)      \
	X(FREES) X(FREED_BYTES) X(FREED_OBJECTS) X(FREED_SPACE)       \
	X(LIFETIME) /* milliseconds of freed objects, added up */     \
	X(PEAK_OBJECTS) X(PEAK_SPACE)                                 \
	/* Of FREED_OBJECTS: younger than 10 ms, then 1 s, then 1 min. */ \
	X(FREED_SHORT) X(FREED_MIDDLE) X(FREED_LONG)                  \
	/* Of ALLOC_OBJECTS and -SPACE: by a realloc that moved a block. */ \
	X(GROWN_OBJECTS) X(GROWN_SPACE)                               \
	/* Of FREED_OBJECTS: on another CPU, by another thread. */    \
	X(FREED_AWAY) X(FREED_BY_OTHER)

enum trace_count {
#define TRACE_COUNT(name) TRACE_##name,
	TRACE_COUNTS(TRACE_COUNT)
#undef TRACE_COUNT
	NR_TRACE_COUNTS
};
/* clang-format on */

struct trace {
	uint64_t hash;				   /* const */
	uint32_t nr;				   /* const: of its sites */
	uint32_t words;				   /* const: of the record */
	_Atomic(uint64_t) counts[NR_TRACE_COUNTS]; /* atomic: counters */
	uint32_t sites[]; /* const: nearest function first */
};

/* Takes zeros for so many index entries of 4 bytes, and for so many words of
 * records, at start, as racing threads do alike. */
void trace_start(void *index, uint64_t nr_entries, void *words, uint64_t nr);

/* Finds or makes the number of a stack's record; 0: there is no room. */
uint32_t trace_intern(const uint64_t *addresses, unsigned n);

/* Returns the record of a number that trace_intern() gave. */
struct trace *trace_of(uint32_t number);
uint32_t trace_number(const struct trace *trace);

/* Returns the record behind entry *at of the index or a later one, and sets *at
 * behind it; NULL: there are no more. */
struct trace *trace_next(uint32_t *at);

static force_inline void trace_add(struct trace *trace, enum trace_count count,
				   uint64_t n)
{
	add_relaxed(&trace->counts[count], n); // counter
}

static force_inline uint64_t trace_get(const struct trace *trace,
				       enum trace_count count)
{
	return load_relaxed(&trace->counts[count]); // counter
}

/* Subtracts one count from another, both of which others add to. */
static inline uint64_t trace_less(const struct trace *trace,
				  enum trace_count count, enum trace_count less)
{
	uint64_t b = trace_get(trace, less), a = trace_get(trace, count);

	return a > b ? a - b : 0;
}

/* Returns the bytes of records. */
uint64_t trace_used_size(void);

#endif
