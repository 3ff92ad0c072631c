/* layer 5.5: outside: what a program outside asks for; contract in outside.h */
#include "front/outside.h"

#include "front/start.h"
#include "lanemalloc_view.h"
#include "sample/sampler.h"
#include "system/sandbox.h"

_Atomic(uint32_t) outside_switch;
_Atomic(uint32_t) outside_tracer;

static void switch_serve(uint32_t asked)
{
	switch (asked) {
	case LANEMALLOC_SWITCH_PROFILE_ON:
		heap_profile_start();
		break;
	case LANEMALLOC_SWITCH_PROFILE_OFF:
		heap_profile_stop();
		break;
	default:
		break;
	}
}

static enum tracer tracer_next(bool reads)
{
	if (!reads)
		return TRACER_NONE;
	return sample_is_followed() ? TRACER_FOUND : TRACER_STARTED;
}

/* One that slept before it started finds the reader gone: who saw that found
 * nothing to stop. */
static void tracer_start(void)
{
	heap_profile_start();
	if (load_relaxed(&outside_tracer) == TRACER_NONE) // hint
		heap_profile_stop();
}

static void tracer_serve(bool reads)
{
	uint32_t seen = load_relaxed(&outside_tracer); // hint
	uint32_t next = tracer_next(reads);

	// hint: of those that see the change one makes it
	if (!seen == !next || !cas_relaxed(&outside_tracer, &seen, next))
		return;
	if (next == TRACER_STARTED)
		tracer_start();
	else if (seen == TRACER_STARTED)
		heap_profile_stop();
}

/* A profile for which there is no memory stays as it is, and so does one in a
 * sandbox: who asks sees that. */
cold void outside_serve(bool reads)
{
	// hint: of two that see it one does it
	uint32_t asked = take_relaxed(&outside_switch, LANEMALLOC_SWITCH_NONE);

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	switch_serve(asked);
	tracer_serve(reads);
	sandbox_rare_done();
}
