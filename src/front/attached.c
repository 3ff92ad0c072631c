/* layer 5.5: attached: the profile is on while a tracer reads its probes;
 * contract in attached.h */
#include "front/attached.h"

#include "front/start.h"
#include "sample/sampler.h"
#include "system/sandbox.h"

_Atomic(uint32_t) attached_state;

static enum attached state_next(bool read)
{
	if (!read)
		return ATTACHED_NONE;
	return sample_is_followed() ? ATTACHED_FOUND : ATTACHED_STARTED;
}

/* One that slept before it started finds the reader gone: who saw that found
 * nothing to stop. */
static void attached_start(void)
{
	heap_profile_start();
	if (load_relaxed(&attached_state) == ATTACHED_NONE) // hint
		heap_profile_stop();
}

static void state_change(bool read)
{
	uint32_t seen = load_relaxed(&attached_state); // hint
	uint32_t next = state_next(read);

	// hint: of those that see the change one makes it
	if (!seen == !next || !cas_relaxed(&attached_state, &seen, next))
		return;
	if (next == ATTACHED_STARTED)
		attached_start();
	else if (seen == ATTACHED_STARTED)
		heap_profile_stop();
}

cold void attached_change(bool read)
{
	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	state_change(read);
	sandbox_rare_done();
}
