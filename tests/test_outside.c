/* front/outside.h: who starts the profile where its reader comes and goes
 * meanwhile, for how long those outside have it, and in a sandbox */
#include "cases.h"
#include "fake_system.h"
#include "front/outside.h"
#include "front/gate_holder.h"
#include "lanemalloc_view.h"
#include "sample/sampler.h"
#include "system/sandbox.h"

static bool goes_meanwhile, comes_meanwhile, reads_meanwhile;
static unsigned nr_starts, nr_stops;

static void ask(uint32_t what, uint32_t seconds)
{
	what |= seconds << LANEMALLOC_SWITCH_SECONDS_SHIFT;
	store_relaxed(&outside_switch, what); // own
	outside_look();
}

/* A thread that comes to its deed late: another has seen the reader go. */
bool heap_profile_start(enum sample_user user)
{
	nr_starts++;
	if (goes_meanwhile)
		outside_serve(false);
	or_relaxed(&sample_gate.on, user); // hint
	return true;
}

/* Likewise: another has found the bit set. */
void heap_profile_stop(enum sample_user user)
{
	nr_stops++;
	if (comes_meanwhile) {
		comes_meanwhile = false;
		ask(LANEMALLOC_SWITCH_PROFILE_ON, 9);
	}
	if (reads_meanwhile) {
		reads_meanwhile = false;
		store_relaxed(&probe_alloc_readers, 1); // own
		outside_look();
	}
	and_relaxed(&sample_gate.on, ~(uint32_t)user); // hint
}

static void readers_set(uint16_t nr)
{
	store_relaxed(&probe_alloc_readers, nr); // own
	outside_look();
}

FIXTURE(setup)
{
	goes_meanwhile = comes_meanwhile = reads_meanwhile = false;
	nr_starts = nr_stops = 0;
	store_relaxed(&probe_alloc_readers, 0);		 // own
	store_relaxed(&outside_tracer, TRACER_NONE);	 // own
	store_relaxed(&sample_gate.on, SAMPLE_NOBODY);	 // own
	ask(LANEMALLOC_SWITCH_PROFILE_OFF, 0);
	nr_starts = nr_stops = 0;
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

TEST(test_reader_comes_before_the_stop, setup, NULL)
{
	readers_set(1);
	reads_meanwhile = true;
	readers_set(0);
	assert_true(sample_is_followed());
	readers_set(0);
	assert_false(sample_is_followed());
}

static void later(uint64_t ms)
{
	add_relaxed(&fake_now_ms, ms); // own
	outside_sampled();
}

TEST(test_time_is_over, setup, NULL)
{
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	assert_true(sample_is_followed());
	later(5999);
	assert_true(sample_is_followed());
	later(1);
	assert_false(sample_is_followed());
	assert_int_equal(nr_starts, 1);
	assert_int_equal(nr_stops, 1);
}

/* Of three the one that asked for longest has it, in any order. */
TEST(test_three, setup, NULL)
{
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 20);
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 1);
	later(19999);
	assert_true(sample_is_followed());
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	later(5999);
	assert_true(sample_is_followed());
	later(1);
	assert_false(sample_is_followed());
}

TEST(test_without_end, setup, NULL)
{
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 0);
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	later((uint64_t)1 << 40);
	assert_true(sample_is_followed());
	ask(LANEMALLOC_SWITCH_PROFILE_OFF, 0);
	assert_false(sample_is_followed());
}

/* Who ends it comes late, and somebody has asked since. */
TEST(test_asked_before_the_stop, setup, NULL)
{
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	comes_meanwhile = true;
	later(6000);
	assert_true(sample_is_followed());
	later(9000);
	assert_false(sample_is_followed());
}

/* Nobody ends what another wants. */
TEST(test_others, setup, NULL)
{
	or_relaxed(&sample_gate.on, SAMPLE_PROFILE); // own
	readers_set(1);
	ask(LANEMALLOC_SWITCH_PROFILE_ON, 6);
	later(6000);
	assert_int_equal(load_relaxed(&sample_gate.on), // own
			 SAMPLE_PROFILE | SAMPLE_TRACER);
	ask(LANEMALLOC_SWITCH_PROFILE_OFF, 0);
	assert_int_equal(load_relaxed(&sample_gate.on), SAMPLE_TRACER); // own
	readers_set(0);
	assert_false(sample_is_followed());
}

TEST(test_unknown_is_dropped, setup, NULL)
{
	ask(3, 0);
	ask(LANEMALLOC_SWITCH_PROFILE_OFF, 1);
	assert_false(load_relaxed(&outside_switch)); // own
	assert_int_equal(nr_starts + nr_stops, 0);
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
