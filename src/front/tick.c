/* layer 5.4: tick: timed work by whoever passes, and the helper's births */
#include "front/tick.h"

#include "front/pressure.h"
#include "front/reclaimer.h"
#include "front/tick_work.h"
#include "pageheap/request.h"

#define RECLAIMER_GRACE 4 /* ticks that it may be late */

/* Leaves the next tick to the helper that was born, unless it is late. */
static void tick_leave_to_helper(void)
{
	tick_put_off((1 + RECLAIMER_GRACE) * reclaimer_tick_ms());
}

void tick_pass(void)
{
	pressure_pass();
	if (likely(!tick_elect()))
		return;
	if (!reclaimer_start()) {
		tick_leave_to_helper();
		return;
	}
	request_look();
	tick_piece();
}

void tick_ensure_helper(void)
{
	if (!reclaimer_ensure())
		tick_leave_to_helper();
}
