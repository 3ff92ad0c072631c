/* layer 5.3: reclaimer: a thread that gives memory back while others sleep
 *
 * Started where the program creates its first thread, never from inside an
 * allocation. It is a bare thread: all signals blocked, no libc behind it (so
 * that a program whose threads have all ended exits as it should), its own
 * small stack, TLS and rseq area. It does not exist in the child of a fork
 * until that creates a thread.
 *
 *	word	RECLAIMER_NONE -> AWAKE		start
 *		AWAKE -> ASLEEP			the reclaimer found nothing to
 *						do for QUIET_TICKS ticks
 *		ASLEEP -> AWAKE			any slow path (one CAS, then a
 *						wake-up that does not block)
 *
 * It sets ASLEEP, works once more a tick later, and then sleeps for ever if
 * the word is still ASLEEP: a passer that saw it awake has worked before that
 * last look, a later one wakes it. Awake, it works once in
 * config.purge_delay.
 *
 * Gives that exceed the budget set ASKED (pageheap/request.h). It then lets
 * ASKED_MS pass, so that what the program takes again at once is not purged,
 * and purges what is beyond the budget. Whatever it finds in the word before a
 * sleep, it sleeps only on what it has stored itself.
 */
#ifndef LANE_RECLAIMER_H
#define LANE_RECLAIMER_H

#include "pageheap/request.h"

void reclaimer_wake_slow(void);

static force_inline void reclaimer_wake(void)
{
	if (unlikely(load_relaxed(&reclaimer_word) == // hint
		     RECLAIMER_ASLEEP))
		reclaimer_wake_slow();
}

/* 0, or a negated errno; 0 also where this process has one already. */
int reclaimer_start(void);

#endif
