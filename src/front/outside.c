/* layer 5.5: outside: what a program outside asks for; contract in outside.h */
#include "front/outside.h"

#include "front/start.h"
#include "lanemalloc_view.h"

_Atomic(uint32_t) outside_switch;

/* A profile for which there is no memory stays off, which who asks sees. */
cold void outside_serve(void)
{
	// hint: of two that see it one does it
	switch (take_relaxed(&outside_switch, LANEMALLOC_SWITCH_NONE)) {
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
