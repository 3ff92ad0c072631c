/* layer 4.1: percpu: the operations on a CPU's lane, as rseq sections
 *
 * A lane is a bounded stack of objects of one class that belongs to one CPU:
 * count, limit, and where its slots are. A CPU's lanes lie side by side at the
 * head of one lane area, their slots behind them; word `id` of the table at
 * anchor.base + REGION_TABLE_OFFSET says where, as an offset from anchor.base.
 * Offset 0, which an untouched table holds, is an area of zeros: every lane in
 * it is empty and full at once, so that no section needs to ask whether its
 * CPU is known.
 *
 * count is *percpu*: written only by the commit of a section, on the CPU that
 * owns the area or on a detached area by the holder of the drain lease.
 * limit is *atomic*, a hint that sections only read. Slots below count hold
 * objects; slots above are scratch. The word in front of the first slot is
 * readable and no object's address.
 *
 * Operations; `lane` is the offset of the lane in its area, in words. Each is
 * one section: it happens whole or not at all. ABORT: the kernel interrupted
 * the section (preemption, migration, signal), nothing happened. All but the
 * checked ones begin, in the thread's own rseq area, with
 *
 *	arm: rseq_cs = &descriptor
 *	if (cpu_id >= REGION_TABLE_WORDS) fail	(thread is not registered)
 *	area = base + table[id]; l = area + lane
 *
 *	percpu_pop(lane): object, or NULL on fail, empty or abort
 *		n = l->count; if (n == 0) fail
 *		object = l->slots[n - 1]; l->count = n - 1	(commit)
 *		prefetch l->slots[n - 2] for writing	(after the section)
 *
 *	percpu_push(lane, object): true; false on fail, full, repeat or abort
 *		n = l->count; if (n >= l->limit) fail
 *		if (n > 0 and l->slots[n - 1] == object) fail
 *		l->slots[n] = object; l->count = n + 1	(commit)
 *
 *	percpu_push_tagged(tag, object): as percpu_push() with this lane,
 *	chosen without a branch, as who frees what is a matter of luck
 *		lane = id == tag->owner ? tag->lane : tag->remote
 *
 *	percpu_pop_batch(lane, out, most): how many, 0..most; -1 on abort
 *		n = min(l->count, most)
 *		copy the top n slots to out; l->count -= n	(commit)
 *
 *	percpu_push_batch(lane, in, most): how many were pushed; -1 on abort
 *		n = min(l->limit - l->count, most), 0 where limit < count
 *		copy in[0..n) behind the top; l->count += n	(commit)
 *
 * The checked ones work on a given area, whatever the CPU, for as long as
 * *lease == mine: they make a drain lease revocable. self is the calling
 * thread's own registered rseq area.
 *
 *	percpu_pop_checked(self, l, lease, mine, &object):
 *		if (*lease != mine) -> PERCPU_LOST
 *		n = l->count; if (n == 0) -> PERCPU_EMPTY
 *		object = l->slots[n - 1]; l->count = n - 1  -> PERCPU_DONE
 *		(commit)				  abort -> PERCPU_ABORT
 *
 * The store of the next one is a release: what the drainer did to an area
 * comes before the area is published.
 *
 *	percpu_store_checked(self, word, value, lease, mine):
 *		if (*lease != mine) -> PERCPU_LOST
 *		*word = value	-> PERCPU_DONE	(commit)  abort -> PERCPU_ABORT
 *
 * Each architecture's file implements exactly this list, and percpu_watch()
 * for rseq_kernel_aborts().
 */
#ifndef LANE_PERCPU_H
#define LANE_PERCPU_H

#include "base/compiler.h"
#include "pageheap/anchor.h"
#include "slab/size_class.h"

struct lane {
	uint64_t count;		 /* percpu */
	_Atomic(uint64_t) limit; /* atomic: hint */
	void **slots;		 /* const; what they hold is percpu */
	uint64_t unused;
};

/* The kernel's struct rseq, as far as every kernel with rseq fills it; mm_cid
 * where AT_RSEQ_FEATURE_SIZE >= 28. rseq_cs alone is ours to write. */
struct rseq_area {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t end;
} __attribute__((aligned(32)));

enum percpu_result { PERCPU_DONE, PERCPU_EMPTY, PERCPU_LOST, PERCPU_ABORT };

#if defined(__x86_64__)
#include "cpucache/percpu_x86_64.h"
#elif defined(__aarch64__)
#include "cpucache/percpu_aarch64.h"
#else
#error "lanemalloc knows x86-64 and aarch64"
#endif

#endif
