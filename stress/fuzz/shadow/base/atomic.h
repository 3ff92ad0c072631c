/* Found before src/base/atomic.h in fuzzing builds: the same operations, each
 * behind a point at which the input may interrupt the running call. */
#ifndef FUZZ_SHADOW_ATOMIC_H
#define FUZZ_SHADOW_ATOMIC_H

#include_next "base/atomic.h"

#include "stress/fuzz/point.h"

#define at_point(operation) (fuzz_point(), operation)

#undef load_relaxed
#undef load_acquire
#undef load_seq
#undef store_relaxed
#undef store_release
#undef store_seq
#undef take_relaxed
#undef take_acquire
#undef cas_order
#undef add_relaxed
#undef add_seq
#undef sub_relaxed
#undef or_relaxed
#undef or_seq
#undef and_relaxed
#undef and_acquire
#undef and_seq

/* One thread runs, so all orders are one. */
#define point_load(p) at_point(atomic_load(p))
#define point_store(p, v) at_point(atomic_store((p), (v)))
#define point_take(p, v) at_point(atomic_exchange((p), (v)))
#define point_or(p, v) at_point(atomic_fetch_or((p), (v)))
#define point_and(p, v) at_point(atomic_fetch_and((p), (v)))

#define load_relaxed(p) point_load(p)
#define load_acquire(p) point_load(p)
#define load_seq(p) point_load(p)
#define store_relaxed(p, v) point_store(p, v)
#define store_release(p, v) point_store(p, v)
#define store_seq(p, v) point_store(p, v)
#define take_relaxed(p, v) point_take(p, v)
#define take_acquire(p, v) point_take(p, v)
#define cas_order(p, expected, v, success, failure) \
	at_point(atomic_compare_exchange_strong((p), (expected), (v)))
#define add_relaxed(p, v) at_point(atomic_fetch_add((p), (v)))
#define add_seq(p, v) at_point(atomic_fetch_add((p), (v)))
#define sub_relaxed(p, v) at_point(atomic_fetch_sub((p), (v)))
#define or_relaxed(p, v) point_or(p, v)
#define or_seq(p, v) point_or(p, v)
#define and_relaxed(p, v) point_and(p, v)
#define and_acquire(p, v) point_and(p, v)
#define and_seq(p, v) point_and(p, v)

#endif
