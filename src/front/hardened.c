/* layer 5.8: hardened: what its frees leave to the cold half */
#include "front/hardened.h"

#include "front/tick.h"

cold void hardened_wiped(void *pointer)
{
	tick_end_free(retire_wiped(pointer));
}

cold void hardened_waited(void *pointer)
{
	tick_end_free(retire_waited(pointer));
}
