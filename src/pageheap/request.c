/* layer 2.6: request: the helper's word; protocol in request.h */
#include "pageheap/request.h"

#include "base/atomic.h"
#include "system/helper.h"
#include "system/sandbox.h"

/* From the change of the word to the wake-up no sandbox may come. */
static bool request_send(struct helper_life *life)
{
	uint32_t word = HELPER_AWAKE;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return false;
	if (cas_relaxed(&life->word, &word, HELPER_ASKED)) // hint
		system_wake(&life->word);
	sandbox_rare_done();
	return true;
}

bool request_purge(void)
{
	struct helper_life *life = helper_current();
	uint32_t word = life ? load_relaxed(&life->word) : HELPER_NONE; // hint

	if (word == HELPER_NONE || word == HELPER_LEAVE)
		return false;
	return word != HELPER_AWAKE || request_send(life);
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
