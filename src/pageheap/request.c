/* layer 2.6: request: the helper's word; protocol in request.h */
#include "pageheap/request.h"

#include "base/atomic.h"
#include "system/helper.h"

bool request_purge(void)
{
	struct helper_life *life = helper_current();
	uint32_t word = life ? load_relaxed(&life->word) : HELPER_NONE; // hint

	if (word == HELPER_NONE || word == HELPER_LEAVE)
		return false;
	if (word == HELPER_AWAKE &&
	    cas_relaxed(&life->word, &word, HELPER_ASKED)) // hint
		system_wake(&life->word);
	return true;
}

void request_look(void)
{
	struct helper_life *life = helper_current();
	uint32_t word = life ? load_relaxed(&life->word) : HELPER_NONE; // hint

	if (word == HELPER_AWAKE)
		request_purge();
	else if (word == HELPER_ASKED)
		cas_relaxed(&life->word, &word, HELPER_NONE); // hint
}
