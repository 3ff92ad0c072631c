/* layer 2.6: request: the reclaimer's word; protocol in request.h */
#include "pageheap/request.h"

#include "system/system.h"

_Atomic(uint32_t) reclaimer_word;

bool request_purge(void)
{
	uint32_t word = load_relaxed(&reclaimer_word); // hint

	if (word == RECLAIMER_NONE)
		return false;
	if (word != RECLAIMER_ASKED &&
	    cas_relaxed(&reclaimer_word, &word, RECLAIMER_ASKED)) // hint
		system_wake(&reclaimer_word);
	return true;
}

void request_nobody(void)
{
	store_relaxed(&reclaimer_word, RECLAIMER_NONE); // hint
	/* It may be deeply asleep all the same: who set the word died before
	 * its wake-up, or this thread slept since it found the word AWAKE. */
	system_wake(&reclaimer_word);
}
