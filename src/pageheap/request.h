/* layer 2.6: request: asking the helper for a purge
 *
 * A give that finds more free dirty memory than the budget does not purge if a
 * helper lives, but asks it to. Its word (system/helper.h), on which it sleeps:
 *
 *	AWAKE -> ASKED		a give: one CAS, then a wake-up, which does not
 *				block
 *	ASKED -> AWAKE		the helper, before it purges
 *	AWAKE, ASKED -> LEAVE	a successor is born, or births are forbidden
 *	any -> NONE		it ends; or ASKED is found twice by passers who
 *				could not replace it (request_look())
 *
 * While the word is ASKED gives do nothing more, so there is one wake-up for
 * a purge, however many gives ask for it. All of it is a hint: a request that
 * comes between the helper's look at the word and its look at the counter is
 * served with the one before; one that is lost, since its helper died or is
 * stopped, costs memory: gives purge by themselves as soon as there is more
 * than purge_bound() (purge.c), and beyond the budget where nobody lives.
 *
 * Nobody waits for the helper. All operations are wait-free.
 */
#ifndef LANE_REQUEST_H
#define LANE_REQUEST_H

#include "base/compiler.h"

/* False: there is nobody to ask. */
bool request_purge(void);

/* Asks, for a passer who could not give birth to a successor, whoever lives to
 * look once more; if it was told so before and is late, it is asked no more. */
void request_look(void);

#endif
