/* layer 5.4: gate holder: who closes the fast paths' gate, and for how long */
#include "front/gate_holder.h"

#include "front/gate.h"
#include "front/start.h"
#include "guard/who.h"
#include "system/sandbox.h"

void heap_gate_close(void)
{
	gate_close();
}

void heap_gate_open(void)
{
	start_gate_moved(gate_open());
}

void heap_gate_settle(void)
{
	start_gate_moved(gate_settle());
}

void heap_vfork_begin(void)
{
	sandbox_vfork_begin();
	who_settle();
	gate_close();
}

void heap_vfork_end(void)
{
	sandbox_vfork_end();
	heap_gate_open();
}

/* Its on or off decides which of the gate's words opens. */
bool heap_profile_start(enum sample_user user)
{
	if (!heap_start() || !sampler_start(user))
		return false;
	heap_gate_close();
	heap_gate_open();
	return true;
}

void heap_profile_stop(enum sample_user user)
{
	if (!sample_is_wanted(user))
		return;
	sampler_stop(user);
	heap_gate_close();
	heap_gate_open();
}
