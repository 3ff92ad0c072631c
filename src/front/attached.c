/* layer 5.5: attached: the profile is on while a tracer reads its probes;
 * contract in attached.h */
#include "front/attached.h"

#include "front/start.h"
#include "sample/sampler.h"

_Atomic(uint32_t) attached_state;

static enum attached state_next(bool read)
{
	if (!read)
		return ATTACHED_NONE;
	return sample_is_on() ? ATTACHED_FOUND : ATTACHED_STARTED;
}

cold void attached_change(bool read)
{
	uint32_t seen = load_relaxed(&attached_state); // hint
	uint32_t next = state_next(read);

	// hint: of those that see the change one makes it
	if (!seen == !next || !cas_relaxed(&attached_state, &seen, next))
		return;
	if (next == ATTACHED_STARTED)
		heap_profile_start();
	else if (seen == ATTACHED_STARTED)
		heap_profile_stop();
}
