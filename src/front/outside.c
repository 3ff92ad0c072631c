/* layer 5.5: outside: what a program outside asks for; contract in outside.h */
#include "front/outside.h"

#include "front/start.h"
#include "lanemalloc_view.h"
#include "system/sandbox.h"

_Atomic(uint32_t) outside_switch;

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

/* A profile for which there is no memory stays as it is, and so does one in a
 * sandbox: who asks sees that. */
cold void outside_serve(void)
{
	// hint: of two that see it one does it
	uint32_t asked = take_relaxed(&outside_switch, LANEMALLOC_SWITCH_NONE);

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	switch_serve(asked);
	sandbox_rare_done();
}
