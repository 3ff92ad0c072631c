/* layer 5.4: hardened: what its frees leave to the cold half */
#include "front/hardened.h"

#include "front/outside.h"
#include "front/tick.h"

/* What every way that took no lane ends with. */
static void pass(enum remote_free remote)
{
	if (remote == REMOTE_LANE)
		return;
	tick_pass();
	outside_look();
}

cold void hardened_wiped(void *pointer)
{
	pass(retire_wiped(pointer));
}

cold void hardened_waited(void *pointer)
{
	pass(retire_waited(pointer));
}
