/* layer 5.5: outside: what a program outside asks for; contract in outside.h */
#include "front/outside.h"

#include "front/gate_holder.h"
#include "lanemalloc_view.h"
#include "sample/sampler.h"
#include "system/sandbox.h"
#include "system/system.h"

_Atomic(uint32_t) outside_switch;
_Atomic(uint32_t) outside_tracer;

static _Atomic(uint64_t) outside_until; /* atomic: hint, ms; see outside.h */

static bool is_over(void)
{
	return system_now_ms() >= load_relaxed(&outside_until);
}

/* Makes the user's bit what is wanted. */
static void settle(enum sample_user user, bool wanted)
{
	if (wanted == sample_is_wanted(user))
		return;
	if (wanted)
		heap_profile_start(user);
	else
		heap_profile_stop(user);
}

static void until_settle_twice(void)
{
	settle(SAMPLE_OUTSIDE, !is_over());
	settle(SAMPLE_OUTSIDE, !is_over());
}

static bool tracer_reads(void)
{
	return load_relaxed(&outside_tracer) == TRACER_READS;
}

static void tracer_settle_twice(void)
{
	settle(SAMPLE_TRACER, tracer_reads());
	settle(SAMPLE_TRACER, tracer_reads());
}

static void switch_on(uint32_t seconds)
{
	uint64_t until = UINT64_MAX;

	if (seconds)
		until = system_now_ms() + (uint64_t)seconds * 1000;
	raise_relaxed(&outside_until, until);
	until_settle_twice();
}

static void switch_off(void)
{
	store_relaxed(&outside_until, 0);
	heap_profile_stop(SAMPLE_PROFILE);
	until_settle_twice();
}

static void switch_serve(uint32_t asked)
{
	const uint32_t mask = (1u << LANEMALLOC_SWITCH_SECONDS_SHIFT) - 1;

	if ((asked & mask) == LANEMALLOC_SWITCH_PROFILE_ON)
		switch_on(asked >> LANEMALLOC_SWITCH_SECONDS_SHIFT);
	else if (asked == LANEMALLOC_SWITCH_PROFILE_OFF)
		switch_off();
}

void outside_sampled(void)
{
	if (!sample_is_wanted(SAMPLE_OUTSIDE) || likely(!is_over()) ||
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	until_settle_twice();
	sandbox_rare_done();
}

static void tracer_serve(bool reads)
{
	uint32_t seen = load_relaxed(&outside_tracer);
	uint32_t next = reads ? TRACER_READS : TRACER_NONE;

	// hint: of those that see the change one makes it
	if (seen == next || !cas_relaxed(&outside_tracer, &seen, next))
		return;
	tracer_settle_twice();
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
