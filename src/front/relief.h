/* layer 5.3: relief: all memory that can go goes back
 *
 * The caches of all CPUs are emptied, empty slabs are closed, of the others the
 * free pages are given back, all that is free is purged, and what was learnt of
 * keeping some is forgotten. The quarantine is emptied by passers and callers,
 * whoever does the rest: its blocks go by lanes, and the helper has none. What
 * is asked for (pageheap/limit.h) is done by
 *
 *	the helper	pressure_serve() (pressure.h); a passer wakes it
 *	a passer	at the end of a slow path, where no helper lives; once
 *			in PASS_MS, so that a heap that lies at its limit works
 *	the caller	of pressure_limit() (limits.h), and of heap_purge() as
 *			ever
 *
 * What the helper watches no passer hears of, so that it says when something
 * waits in the quarantine, and of those that pass then one is elected; one that
 * dies behind that leaves what waits to the next request. A thread that dies in
 * here leaves what each of the steps leaves. All are lock-free and safe in
 * handlers.
 */
#ifndef LANE_RELIEF_H
#define LANE_RELIEF_H

#include "cpucache/percpu.h"
#include "pageheap/limit.h"

/* atomic: hint; the helper found something in the quarantine */
extern _Atomic(uint32_t) pressure_waits internal;

/* Serves what is asked for at the end of a slow path. */
void pressure_pass_asked(void);
static force_inline void pressure_pass(void)
{
	if (unlikely(limit_is_asked()) ||
	    unlikely(load_relaxed(&pressure_waits)))
		pressure_pass_asked();
}

/* Asks, and serves what is asked. */
void pressure_now(enum limit_reason reason);

/* Makes units free of what lies in caches and slabs, and purges them. With the
 * caller's area; NULL: it has none, and what CPUs hold stays. Not 0 where there
 * was something to do. */
size_t relieve(struct rseq_area *self);

/* Gives back what can be given, but for keep_size bytes of free memory; the
 * bytes. */
size_t heap_purge(size_t keep_size);

#endif
