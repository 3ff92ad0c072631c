/* layer 4.4: drain: take a CPU's cached objects from outside
 *
 * The top of a lane in use belongs to its CPU, so a drain takes the whole
 * lane area away: it points the id's table word at the spare area, which is
 * empty, fences all CPUs, and then nobody but the drainer touches the old one.
 *
 * Who may drain: the holder of the drain lease, one thread at a time in the
 * process. The lease is a word; odd means held. A holder that dies or sleeps
 * must not keep it for ever, and one that wakes late must not touch an area
 * that is in use again. So the lease is revocable: what a drainer writes and
 * others rely on (the table word, a lane's top, `dropping`; of steps 3 and 8
 * see below) is the commit of an rseq section that compares the lease first.
 * Who finds the lease held past its deadline takes it over (CAS to the next odd
 * value) and fences: after the fence each section of the former holder has
 * committed or will be aborted, and when retried finds the right lost.
 *
 *	drain(id), in order, steps 1 to 6 repeatable by the next holder:
 *	1. spare = the area that the table word does not name
 *	2. take all objects out of spare	(left by one who died)
 *	3. limits of spare = 0
 *	4. table word = spare			(checked store)
 *	5. fence: no section works on the old area any more
 *	6. take all objects out of the old area	(it is the spare now)
 *	7. dropping = 1				(checked store)
 *	8. close the spare's lanes, give the memory of their slots back
 *	9. dropping = 0				(release)
 *
 * Step 3 is no section: who sleeps before it and wakes when the area is in
 * use again sets limits of its lanes to 0. They are hints: the lanes keep what
 * they hold, and grow again with the next misses.
 *
 * Step 8 is no section: one that sleeps before it would take the slots of an
 * area that is in use again. So it is done by who has set `dropping` with its
 * lease, and no drain touches the id while that is set: only a drain lets the
 * table name the spare, so nobody uses it. Bad without: the successor swaps the
 * areas, their CPU fills the one, and the call empties the slots up to a top.
 * A drainer that dies there leaves `dropping` set: that id is drained no more,
 * and its CPU goes on with what its lanes hold. Slots that read as zero are as
 * good as any, as all are above the top; the word below the first one is NULL.
 *
 * The deadline is a courtesy: who is out of memory takes the lease at once, and
 * the former holder finds it lost, with all that it moved so far moved.
 *
 * A drain that breaks off, since the lease is lost or a fence failed, keeps
 * the lease till its deadline: so its successor fences first.
 *
 * Step 6 hands objects to their slabs in batches. A drainer that dies loses
 * the batch in its hands; the rest is found by step 2 of the next one. Without
 * rseq there are no lanes; without membarrier there is no drain.
 */
#ifndef LANE_DRAIN_H
#define LANE_DRAIN_H

#include "cpucache/percpu.h"

/* Drains the caches of all ids, or of those that had no refill or flush since
 * the last call. self is the calling thread's registered rseq area. Returns
 * the number of objects moved, 0 also where another thread drains now. */
size_t drain_caches(struct rseq_area *self, bool idle_only);

/* Drains the caches of all ids at once: takes another thread's drain over. */
size_t drain_caches_urgent(struct rseq_area *self);

/* Whether a drain of all ids would find an object; a hint. */
bool drain_finds_any(void);

/* Counts the caches that were drained, since start. */
uint64_t drain_count(void);

#endif
