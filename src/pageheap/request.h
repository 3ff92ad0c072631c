/* layer 2.6: request: asking the reclaimer for a purge
 *
 * A give that finds more free dirty memory than the budget does not purge if a
 * reclaimer thread lives, but asks it to. Its word, on which it sleeps:
 *
 *	NONE -> AWAKE			the reclaimer starts, or comes back
 *	AWAKE -> ASLEEP -> AWAKE	front/reclaimer.h
 *	AWAKE, ASLEEP -> ASKED		a give: one CAS, then a wake-up, which
 *					does not block
 *	ASKED -> AWAKE			the reclaimer, before it purges
 *	any -> NONE			a passer that found it late (front/tick)
 *
 * While the word is ASKED gives do nothing more, so there is one wake-up for
 * a purge, however many gives ask for it. All of it is a hint: a request that
 * comes between the reclaimer's look at the word and its look at the counter
 * is served with the one before; one that is lost, since its reclaimer died
 * or is stopped or belongs to the parent of a fork, costs memory: gives purge
 * by themselves as soon as there is more than purge_bound() (purge.c), and
 * beyond the budget again when a passer has set NONE.
 *
 * Nobody waits for the reclaimer. All operations are wait-free.
 */
#ifndef LANE_REQUEST_H
#define LANE_REQUEST_H

#include "base/atomic.h"
#include "base/compiler.h"

enum reclaimer_word {
	RECLAIMER_NONE,
	RECLAIMER_AWAKE,
	RECLAIMER_ASLEEP,
	RECLAIMER_ASKED,
};

extern _Atomic(uint32_t) reclaimer_word internal;

/* False: there is nobody to ask. */
bool request_purge(void);

/* Nobody is to be asked until a reclaimer says that it is awake. */
void request_nobody(void);

#endif
