/* layer 5.3: pressure: limits take effect, and all that can go goes back
 *
 * Who wants memory back asks (pageheap/limit.h): a take that passes the soft
 * limit, a limit that is set below what is in use, the cgroup's events, the
 * service manager's file. Who serves it empties the caches of all CPUs, closes
 * empty slabs and gives back the free pages of the others, purges all that is
 * free, and forgets what was learnt of keeping some. The quarantine is emptied
 * by passers and callers, whoever serves the rest: its blocks go by lanes, and
 * the helper has none. What it watches no passer hears of, so that it says when
 * something waits there, and of those that pass then one is elected; one that
 * dies behind that leaves what waits to the next request.
 *
 *	the helper	at its next look at its word; a passer wakes it. Where
 *			somebody waits for its end meanwhile it asks again, so
 *			that what it left is the next one's
 *	a passer	at the end of a slow path, where no helper lives; once
 *			in PASS_MS, so that a heap that lies at its limit works
 *	the caller	of pressure_limit(), and of heap_purge() as ever
 *
 * Watches (system/watch.h) are opened at the first creation of a thread, by an
 * option, as there is a helper only in programs with threads, and as then no
 * other thread of the program can count on a descriptor's number. The helper
 * looks at them once in WATCH_MS and stays while there are some.
 *
 *	owner	0, or another process's: nothing is open here
 *		pid | OPENING: a thread opens; if it dies nothing is watched
 *		pid: open; the release publishes what is
 *
 * The child of a fork has the number of its parent's process in `owner`: it
 * watches nothing, closes what it inherited when it creates a thread itself,
 * and opens its own. One that forks again before that has it open till exec.
 *
 * A request that the hard limit refuses is told on stderr, once in TOLD_SECONDS
 * and process: those who are refused elect one by a CAS on the word that has
 * both, so a child of fork, whose word is its parent's, tells its own; one of
 * vfork, which has the word itself, is counted and tells nothing. Nothing is
 * said where stderr would not take it at once, and in a sandbox; nor where 2 is
 * by now another file than it was when the limit was set, and none that is
 * appended to: the program has closed stderr, and its data may stand there. A
 * thread that dies behind the CAS leaves its line unsaid.
 *
 * A thread that dies while it serves leaves what each of the steps leaves. All
 * are lock-free, safe in handlers, but for pressure_watch(), which is called
 * where a thread is about to be created.
 */
#ifndef LANE_PRESSURE_H
#define LANE_PRESSURE_H

#include "cpucache/percpu.h"
#include "lanemalloc.h"
#include "pageheap/limit.h"

/* Takes the options' limits, and the cgroup's; once. */
void pressure_start(void);

/* Opens what the options say is to be watched, unless this process has. */
void pressure_watch(void);

/* Says whether a helper shall stay for it. */
bool pressure_is_watched(void);

/* Says for how long of `most` it may sleep. */
uint64_t pressure_sleep_ms(uint64_t most);

/* Looks, for the helper, at what is watched, and serves what is asked for.
 * `self` says its registered area, where there is one. Not 0 where there was
 * something to do. */
size_t pressure_serve(struct rseq_area *(*self)(void *), void *arg);

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

/* Gives back what can be given, but for keep_size bytes of free memory; the
 * bytes. */
size_t heap_purge(size_t keep_size);

/* Tells, by who has tried all that there is, that a request of so many bytes
 * failed, if the hard limit is the reason. */
void pressure_refused(size_t size);

/* Sets the limits, where `set` is not NULL, and tells them. */
void pressure_limit(const struct lanemalloc_limits *set,
		    struct lanemalloc_limits *now);

#endif
