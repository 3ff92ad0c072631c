/* layer 0.2: atomic: every access to a shared word, its order in its name
 *
 * A field that several threads touch is _Atomic, and C reaches it through these
 * names. Plain are what sections in assembly write (lanes; percpu.h), what the
 * fast paths read of the gate (gate_read()) and a unit's tag, which its holder
 * writes before any block of the unit is handed out; where others write a plain
 * word meanwhile, load_once() and store_once() are one access of an aligned
 * word, so that it is whole, and order nothing. Each acquire and each release
 * carries a comment that names its partner, `// [field] with function(): what
 * it orders`; a relaxed access gives its reason in a word, but where the word's
 * declaration says that it is a hint or a counter for all. `make lint` reads
 * those comments, and fails on an operation here that nobody uses.
 *
 * seq is for the two halves of a Dekker pair (I write A, then read B; you
 * write B, then read A), where an acquire and a release do not suffice.
 *
 * cas_*() is strong: false means that another thread changed the word, and
 * *expected then holds what it found.
 */
#ifndef LANE_ATOMIC_H
#define LANE_ATOMIC_H

#include <stdatomic.h>

#define load_once(p) (*(const volatile __typeof__(*(p)) *)(p))
#define store_once(p, v) (*(volatile __typeof__(*(p)) *)(p) = (v))

#define load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define load_seq(p) atomic_load_explicit((p), memory_order_seq_cst)

#define store_relaxed(p, v) \
	atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v) \
	atomic_store_explicit((p), (v), memory_order_release)
#define store_seq(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)

#define take_relaxed(p, v) \
	atomic_exchange_explicit((p), (v), memory_order_relaxed)
#define take_acquire(p, v) \
	atomic_exchange_explicit((p), (v), memory_order_acquire)

#define take_acq_rel(p, v) \
	atomic_exchange_explicit((p), (v), memory_order_acq_rel)

#define cas_order(p, expected, v, success, failure)                   \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), \
						(success), (failure))
#define cas_relaxed(p, expected, v) \
	cas_order(p, expected, v, memory_order_relaxed, memory_order_relaxed)
#define cas_acquire(p, expected, v) \
	cas_order(p, expected, v, memory_order_acquire, memory_order_relaxed)
#define cas_release(p, expected, v) \
	cas_order(p, expected, v, memory_order_release, memory_order_relaxed)
#define cas_acq_rel(p, expected, v) \
	cas_order(p, expected, v, memory_order_acq_rel, memory_order_relaxed)
#define cas_seq(p, expected, v) \
	cas_order(p, expected, v, memory_order_seq_cst, memory_order_relaxed)

/* The word becomes at least v. Lock-free: a round is lost to who raised it. */
#define raise_relaxed(p, v)                                          \
	do {                                                         \
		__typeof__(load_relaxed(p)) raised_to = (v);         \
		__typeof__(raised_to) raised_from = load_relaxed(p); \
		while (raised_from < raised_to &&                    \
		       !cas_relaxed((p), &raised_from, raised_to))   \
			;                                            \
	} while (0)

#define add_relaxed(p, v) \
	atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define add_seq(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define sub_relaxed(p, v) \
	atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define sub_seq(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define or_relaxed(p, v) \
	atomic_fetch_or_explicit((p), (v), memory_order_relaxed)
#define or_seq(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define and_relaxed(p, v) \
	atomic_fetch_and_explicit((p), (v), memory_order_relaxed)
#define and_acquire(p, v) \
	atomic_fetch_and_explicit((p), (v), memory_order_acquire)
#define and_seq(p, v) atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)

/* What was loaded before, without an order, is as if loaded with it. */
#define fence_acquire() atomic_thread_fence(memory_order_acquire)
#define fence_release() atomic_thread_fence(memory_order_release)

#endif
