/* layer 5.4: pressure: who says from outside that memory is short is heard
 *
 * Who wants memory back asks (pageheap/limit.h): a take that passes the soft
 * limit, a limit that is set below what is in use, the cgroup's events, the
 * service manager's file. The two last the helper watches; it serves whatever
 * is asked at its next look at its word. Where somebody waits for its end
 * meanwhile it asks again, so that what it left is the next one's.
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
 * A thread that dies while it serves leaves what relief.h says. All are
 * lock-free, safe in handlers, but for pressure_watch(), which is called where
 * a thread is about to be created.
 */
#ifndef LANE_PRESSURE_H
#define LANE_PRESSURE_H

#include "cpucache/percpu.h"

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

#endif
