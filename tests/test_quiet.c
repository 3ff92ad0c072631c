/* slab/quiet.h: what makes an age pass, and when the brake is on */
#include <string.h>

#include "slab_fixture.h"

#include "pageheap/budget.h"

#include "slab/quiet.c"

#define MIB ((size_t)1 << 20)

/* The page heap says that so much is resident. */
static void resident_is(size_t size)
{
	store_relaxed(&budget.units, size >> UNIT_SHIFT); // own
}

static uint32_t now(void)
{
	return load_relaxed(&quiet.now); // own
}

FIXTURE(fresh)
{
	memset(&quiet, 0, sizeof(quiet));
	resident_is(0);
	quiet_age_ends();
}

TEST(test_an_age_a_tick, fresh)
{
	struct span slab = { 0 };
	uint32_t before = now();

	quiet_use(&slab);
	assert_int_equal(quiet_age(&slab), 0);
	quiet_age_ends();
	quiet_age_ends();
	assert_int_equal(now(), before + 2);
	assert_int_equal(quiet_age(&slab), 2);
	quiet_use(&slab);
	assert_int_equal(quiet_age(&slab), 0);
	/* Ages wrap around. */
	store_relaxed(&quiet.now, 0xffff); // own
	quiet_use(&slab);
	quiet_age_ends();
	assert_int_equal(quiet_age(&slab), 1);
}

/* A 16th at a time, 4 MiB at least; each maximum is told once. */
TEST(test_growth, fresh)
{
	uint32_t before;

	resident_is(2 * MIB);
	before = now();
	assert_true(quiet_heap_grew());
	assert_false(quiet_heap_grew());
	resident_is(MIB);
	assert_false(quiet_heap_grew());
	assert_int_equal(now(), before);
	resident_is(4 * MIB);
	assert_true(quiet_heap_grew());
	assert_int_equal(now(), before + 1);
	resident_is(320 * MIB);
	assert_true(quiet_heap_grew());
	before = now();
	for (size_t size = 321; size < 340; size++) {
		resident_is(size * MIB);
		assert_true(quiet_heap_grew());
	}
	assert_int_equal(now(), before);
	resident_is(340 * MIB);
	assert_true(quiet_heap_grew());
	assert_int_equal(now(), before + 1);
}

/* The same for what is free in slabs; what is taken and freed again is no
 * news. */
TEST(test_shrinking, fresh)
{
	uint32_t before;

	resident_is(64 * MIB);
	assert_false(quiet_heap_shrank(-(int64_t)(32 * MIB)));
	quiet_age_ends();
	before = now();
	assert_true(quiet_heap_shrank(3 * MIB));
	assert_false(quiet_heap_shrank(-(int64_t)MIB));
	assert_false(quiet_heap_shrank(MIB));
	assert_int_equal(now(), before);
	assert_true(quiet_heap_shrank(MIB));
	assert_int_equal(now(), before + 1);
	assert_true(quiet_heap_shrank(3 * MIB));
	assert_int_equal(now(), before + 1);
	/* After growth it counts from what is free then. */
	assert_false(quiet_heap_shrank(-(int64_t)(20 * MIB)));
	resident_is(100 * MIB);
	assert_true(quiet_heap_grew());
	assert_true(quiet_heap_shrank(MIB));
}

static void regret(size_t size)
{
	struct span slab = { 0 };

	quiet_use(&slab);
	quiet_note_taken(&slab, (unsigned)(size / system_page_size()));
}

TEST(test_brake, fresh)
{
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES);
	/* A fourth of what went back may be wanted again, or a MiB. */
	regret(MIB);
	quiet_age_ends();
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES);
	quiet_note_purged(100 * MIB);
	regret(20 * MIB);
	quiet_age_ends();
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES);
	regret(80 * MIB);
	quiet_age_ends();
	assert_int_equal(quiet_braked(QUIET_AGES), 2 * QUIET_AGES);
	for (unsigned i = 0; i < 20; i++) {
		regret(80 * MIB);
		quiet_age_ends();
	}
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES << NOTCHES_MOST);
	/* Any age is any age. */
	assert_int_equal(quiet_braked(0), 0);
	/* What is counted sinks by half with each age, then the brake. */
	for (unsigned i = 0; i < 10; i++)
		quiet_age_ends();
	for (unsigned notch = NOTCHES_MOST; notch > 0; notch--)
		for (unsigned i = 0; i < 1 << NOTCH_SHIFT; i++)
			quiet_age_ends();
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES);
}

/* Who comes back after long was not missed. */
TEST(test_late_is_no_regret, fresh)
{
	struct span slab = { 0 };

	quiet_use(&slab);
	for (unsigned i = 0; i < REGRET_AGES; i++)
		quiet_age_ends();
	quiet_note_taken(&slab, 100000);
	quiet_age_ends();
	assert_int_equal(quiet_braked(QUIET_AGES), QUIET_AGES);
}

TEST_MAIN(heap_setup, NULL)
