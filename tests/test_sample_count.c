/* sample/sampler.h: what is counted down, and who finds it used up */
#include "heap_fixture.h"

#include "cpucache/areas.h"
#include "sample/sampler.h"

static _Atomic(int64_t) *count(int64_t left)
{
	_Atomic(int64_t) *at = areas_count(rseq_current_id());

	store_relaxed(at, left); // own
	return at;
}

static int setup(void **state)
{
	if (heap_setup_pinned(state))
		return -1;
	config.profile_interval = 1 << 20;
	return sampler_start(SAMPLE_PROFILE) ? 0 : -1;
}

TEST(test_count)
{
	_Atomic(int64_t) *at = count(100);

	assert_false(sample_count(60));
	assert_int_equal(load_relaxed(at), 40); // own
	assert_true(sample_count(41));
	assert_true(load_relaxed(at) >= 0); // own
}

/* A section took more than was left, and its thread was moved away. */
TEST(test_count_below_zero)
{
	_Atomic(int64_t) *at = count(-5);

	assert_false(sample_fits(0));
	assert_false(sample_count(0));
	assert_int_equal(load_relaxed(at), -5); // own
	assert_true(sample_count(1));
}

/* Nobody has drawn a distance yet: none is due. */
TEST(test_count_is_new)
{
	_Atomic(int64_t) *at = count(AREA_COUNT_NONE);

	assert_false(sample_count(0));
	sample_fits(0);
	assert_true(load_relaxed(at) >= 0); // own
}

TEST_MAIN(setup, NULL)
