/* layer 4.1: percpu: the operations on a CPU's lane, as rseq sections
 *
 * A lane is a bounded stack of objects of one class that belongs to one CPU:
 * where its top object's slot is, the last slot that it may fill, and its first
 * one. A CPU's lanes lie side by side at the head of one lane area, their slots
 * behind them; word `id` of the table at anchor.base + REGION_TABLE_OFFSET says
 * where, as an offset from anchor.base. Offset 0, which an untouched table
 * holds, is an area in which every lane is empty and full at once, so that no
 * section needs to ask whether its CPU is known.
 *
 * top is *percpu*: written only by the commit of a section, on the CPU that
 * owns the area or on a detached area by the holder of the drain lease; but
 * for a closed lane's. end is *atomic*, a hint that sections only read. Slots
 * up to top hold objects; slots above are scratch. The word in front of the
 * first slot is NULL for ever, so that top, which points at it while the lane
 * is empty, leads to a word in any case, and pop needs to know neither count
 * nor first slot. All that one operation stores and the next one loads is
 * addressed by a plain register: processors forward that in no time, with an
 * index some do not.
 *
 * A lane without a limit since the area is in use is *closed*: its top is
 * `none`, a word of NULL behind all slots of the area, so that nobody touches
 * the pages of its slots, and its end is 0. Whoever gives it a limit moves top
 * by CAS, then end, then top once more, as a drain may have closed it in
 * between. That CAS is from `none` alone, and not from a top that leads to
 * NULL: a late one may see a slot empty that an object lies in by now, of a
 * push whose two stores come in the other order, or of a drain ago. No section
 * writes to a closed lane, even one that read top before and end after that:
 * such a top is above any end. A thread that dies in there leaves at worst a
 * closed lane with an end: it has no limit, and the next who gives it one opens
 * it.
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
 *		top = l->top; object = *top; if (!object) fail
 *		l->top = top - 1	(commit)
 *
 *	percpu_pop_counted(lane, size): object, or NULL on fail, empty, used up
 *	or abort; where the abort comes behind the subtraction, the size is
 *	counted without an object
 *		top = l->top; object = *top; if (!object) fail
 *		area->count -= size; if (area->count < 0) fail
 *		l->top = top - 1	(commit)
 *
 *	percpu_push(lane, object): true; false on fail, full, repeat or abort
 *		top = l->top; if (top >= l->end) fail
 *		if (*top == object) fail
 *		top[1] = object; l->top = top + 1	(commit)
 *
 *	percpu_push_tagged(tag, object): as percpu_push() with this lane,
 *	chosen without a branch, as who frees what is a matter of luck
 *		lane = id == tag->owner ? tag->lane : tag->remote
 *
 *	percpu_pop_batch(lane, out, most): how many, 0..most; -1 on abort
 *		top = l->top; if (!*top) return 0
 *		n = min(top + 1 - l->slots, most)
 *		copy the top n slots to out; l->top = top - n	(commit)
 *
 *	percpu_push_batch(lane, in, most): how many were pushed; -1 on abort
 *		top = l->top; n = min(l->end - top, most), 0 where end < top
 *		copy in[0..n) behind the top; l->top = top + n	(commit)
 *
 * One works on a ring of waiting blocks (front/ring.h) of the calling thread's
 * id: words place, mask, slots, at `at` in the area that areas[id] leads to. It
 * writes `place` before its commit: who is interrupted in between leaves the
 * block of that place there for a turn more, and nothing else.
 *
 *	percpu_swap(areas, at, object, &old): true; false on fail or abort
 *		area = areas[id]; if (area <= PERCPU_NO_AREA) fail
 *		r = area + at; slot = r->slots + r->place
 *		r->place = (r->place + 1) & r->mask
 *		prefetch r->slots[r->place]
 *		old = *slot; *slot = object	(commit)
 *
 * The checked ones work on a given area, whatever the CPU, for as long as
 * *lease == mine: they make a drain lease revocable. self is the calling
 * thread's own registered rseq area.
 *
 *	percpu_pop_checked(self, l, lease, mine, &object):
 *		if (*lease != mine) -> PERCPU_LOST
 *		top = l->top; object = *top; if (!object) -> PERCPU_EMPTY
 *		l->top = top - 1  -> PERCPU_DONE	(commit)
 *						  abort -> PERCPU_ABORT
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
	_Atomic(void **) top;  /* percpu: the top object's slot */
	_Atomic(uint64_t) end; /* atomic: hint, address of the last slot */
	void **slots;	       /* const; what they hold is percpu */
	void **none;	       /* const: its top while it is closed */
};

/* A word of the area for whoever counts what is taken from it: bytes that are
 * left. It stands where the lane of class 0 would have its slots, as that has
 * none; and not at the area's head, where it would be addressed by the same
 * register and distance as a lane's top: processors that forward by these would
 * forward the wrong one. */
#define AREA_COUNT_OFFSET 16
#define AREA_COUNT_NONE (INT64_MIN / 2) /* nobody ever set it */

/* percpu, but for what is a hint: see sample/sampler.h. */
static inline _Atomic(int64_t) *area_count(char *area)
{
	return (_Atomic(int64_t) *)(void *)(area + AREA_COUNT_OFFSET);
}

/* Closes a lane that nobody works on; none is a word of NULL behind all slots.
 * Who raises the limit of a lane that it found before opens it again. */
static inline void lane_begin(struct lane *l, void **slots, void **none)
{
	l->slots = slots;
	l->none = none;
	store_relaxed(&l->top, none); // hint: nobody reads it, or a late one
	store_relaxed(&l->end, 0);    // hint: a late one may change it
}

/* How many objects it holds; a hint but for who owns the lane. */
static inline uint64_t lane_nr(const struct lane *l)
{
	void **top = load_relaxed(&l->top); // hint

	return top != l->none ? (uint64_t)(top + 1 - l->slots) : 0;
}

/* The end that stands for a limit of n objects. */
static inline uint64_t lane_end(const struct lane *l, uint64_t n)
{
	return (uint64_t)(l->slots - 1 + n);
}

/* How many it may hold: none while it is closed, whatever its end. */
static inline uint64_t lane_limit(const struct lane *l)
{
	void **top = load_relaxed(&l->top); // hint
	uint64_t end = load_relaxed(&l->end);

	if (!end || (top == l->none && top >= l->slots))
		return 0;
	return (end - lane_end(l, 0)) / 8;
}

/* Moves top to where an empty lane has it. */
static inline void lane_open(struct lane *l)
{
	void **none = l->none;

	if (load_relaxed(&l->top) == none) // hint
		// own: it is closed
		cas_relaxed(&l->top, &none, l->slots - 1);
}

/* Once more open behind it, as a drain may close the lane in between. */
static inline bool lane_move_end(struct lane *l, uint64_t seen, uint64_t to)
{
	bool moved;

	lane_open(l);
	moved = cas_relaxed(&l->end, &seen, lane_end(l, to));
	lane_open(l);
	return moved;
}

/* False: it was another one than `from`. */
static inline bool lane_move_limit(struct lane *l, uint64_t from, uint64_t to)
{
	uint64_t end = load_relaxed(&l->end);

	if (!end && (from || !to))
		return !from;
	return lane_move_end(l, end ? lane_end(l, from) : 0, to);
}

static inline void lane_set_limit(struct lane *l, uint64_t n)
{
	uint64_t end = load_relaxed(&l->end);

	if (end || n)
		lane_move_end(l, end, n);
}

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

/* Up to that one a word of percpu_swap()'s areas leads nowhere. */
#define PERCPU_NO_AREA 1

enum percpu_result { PERCPU_DONE, PERCPU_EMPTY, PERCPU_LOST, PERCPU_ABORT };

#if defined(__x86_64__)
#include "cpucache/percpu_x86_64.h"
#elif defined(__aarch64__)
#include "cpucache/percpu_aarch64.h"
#else
#error "lanemalloc knows x86-64 and aarch64"
#endif

#endif
