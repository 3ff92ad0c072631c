/* front/outside.h: who starts the profile where its reader comes and goes
 * meanwhile, and in a sandbox */
#include "cases.h"
#include "front/outside.h"
#include "front/start.h"
#include "lanemalloc_view.h"
#include "sample/sampler.h"
#include "system/sandbox.h"

static bool goes_meanwhile;
static unsigned nr_starts, nr_stops;

/* A thread that comes to its deed late: another has seen the reader go. */
bool heap_profile_start(void)
{
	nr_starts++;
	if (goes_meanwhile)
		outside_serve(false);
	or_relaxed(&sample_gate.on, SAMPLE_PROFILE); // hint
	return true;
}

void heap_profile_stop(void)
{
	nr_stops++;
	and_relaxed(&sample_gate.on, ~(uint32_t)SAMPLE_PROFILE); // hint
}

static void readers_set(uint16_t nr)
{
	store_relaxed(&probe_alloc_readers, nr); // own
	outside_look();
}

static int setup(void **state)
{
	(void)state;
	goes_meanwhile = false;
	nr_starts = nr_stops = 0;
	store_relaxed(&probe_alloc_readers, 0);		 // own
	store_relaxed(&outside_tracer, TRACER_NONE);	 // own
	store_relaxed(&sample_gate.on, SAMPLE_NOBODY);	 // own
	return 0;
}

TEST(test_reader, setup, NULL)
{
	readers_set(1);
	assert_true(sample_is_followed());
	readers_set(2);
	assert_int_equal(nr_starts, 1);
	readers_set(0);
	assert_false(sample_is_followed());
	assert_int_equal(nr_stops, 1);
}

TEST(test_reader_goes_before_the_start, setup, NULL)
{
	goes_meanwhile = true;
	readers_set(1);
	assert_int_equal(load_relaxed(&outside_tracer), TRACER_NONE); // own
	assert_false(sample_is_followed());
}

TEST(test_sandbox, setup, NULL)
{
	sandbox_begin();
	readers_set(1);
	store_relaxed(&outside_switch, LANEMALLOC_SWITCH_PROFILE_ON); // own
	outside_look();
	assert_int_equal(nr_starts, 0);
	assert_false(load_relaxed(&outside_switch)); // own
	assert_true(outside_asks(true));
	sandbox_end(0);
	outside_look();
	assert_int_equal(nr_starts, 1);
	store_relaxed(&outside_switch, LANEMALLOC_SWITCH_PROFILE_OFF); // own
	outside_look();
	assert_int_equal(nr_stops, 1);
}

TEST_MAIN(NULL, NULL)
