/* slab/bin.h: where objects only come back slabs wane, and are revived where
 * one is needed */
#include "slab_fixture.h"

#include "slab/bin_list.h"
#include "slab/collect.c"
#include "slab/wane.c"

#define CLASS size_class_of(1024) /* 32 objects in a slab of one unit */
#define NR_IN_SLAB 32
#define NR_SLABS 40
#define NR (NR_SLABS * NR_IN_SLAB)

static void *objects[NR], *others[NR];

static void take_one(unsigned id, void **out)
{
	assert_int_equal(bin_take(id, CLASS, out, 1), 1);
}

static bool wanes(const void *object)
{
	const struct unit_tag *tag = tag_of(object);
	bool remote = tag->remote == size_classes[REMOTE_LANES + CLASS].lane;

	assert_int_equal(tag->lane, size_classes[CLASS].lane);
	assert_int_equal(tag->owner == OWNER_NOBODY, remote);
	assert_true(remote || tag->remote == tag->lane);
	return remote;
}

static unsigned nr_waning(void)
{
	unsigned i, nr = 0;

	for (i = 0; i < NR; i += NR_IN_SLAB)
		nr += wanes(objects[i]);
	return nr;
}

/* Slab by slab one object, then the next of each. */
static void **object_of_turn(unsigned i)
{
	return &objects[i % NR_SLABS * NR_IN_SLAB + i / NR_SLABS];
}

/* A slab that wanes is the last resort before a new one. */
TEST(test_slabs_wane, NULL, collected)
{
	unsigned batch = size_classes[CLASS].batch, i, nr = 0;

	for (i = 0; i < NR; i++)
		take_one(1, &objects[i]);
	for (i = 0; i < (WANE_BATCHES + 1) * batch; i++) {
		assert_int_equal(nr_waning(), 0);
		bin_give(1, object_of_turn(i), 1);
	}
	assert_int_equal(nr_waning(), WANE_LOOKS);
	while (nr_waning() == WANE_LOOKS) {
		assert_in_range(nr, 0, i - 1);
		take_one(1, &others[nr++]);
	}
	/* The others are full again. */
	assert_in_range(nr, i - WANE_LOOKS * NR_IN_SLAB, i);
	assert_int_equal(nr_waning(), WANE_LOOKS - 1);
	assert_false(wanes(others[nr - 1]));
	assert_int_equal(tag_of(others[nr - 1])->owner, 1);
	bin_give(1, others, nr);
	for (; i < NR; i++)
		bin_give(1, object_of_turn(i), 1);
}

/* What comes and goes in phases wanes in the first one alone, until ticks have
 * forgotten it. */
TEST(test_phases_do_not_wane, NULL, collected)
{
	unsigned phase, i;

	for (phase = 0; phase < 4; phase++) {
		for (i = 0; i < NR; i++)
			take_one(1, &objects[i]);
		for (i = 0; phase % 3 == 0 && i < 32; i++)
			bin_collect_all(100000, COLLECT_AGE_NEVER);
		for (i = 0; i < NR / 2; i++)
			bin_give(1, object_of_turn(i), 1);
		assert_int_equal(nr_waning() > 0, phase == 0 || phase == 3);
		for (; i < NR; i++)
			bin_give(1, object_of_turn(i), 1);
	}
}

/* Where the class is in use, too, none does. */
TEST(test_slabs_in_use_do_not_wane, NULL, collected)
{
	unsigned batch = size_classes[CLASS].batch, i;

	for (i = 0; i < NR; i++)
		take_one(1, &objects[i]);
	for (i = 0; i < NR; i++) {
		bin_give(1, object_of_turn(i), 1);
		if (i % batch == 0) {
			take_one(1, &others[0]);
			bin_give(1, others, 1);
		}
		if (i < NR / 2)
			assert_int_equal(nr_waning(), 0);
	}
}

/* A thief's is his. */
TEST(test_waning_slabs_are_stolen, NULL, collected)
{
	struct span *slab = slab_open(CLASS, 1);
	void *object;

	bin_set_of(2);
	slab_wane(slab);
	assert_true(slab_is_waning(slab));
	partial_push(&bin_set_of(1)->bins[CLASS], 0, slab);
	take_one(2, &object);
	assert_false(wanes(object));
	assert_int_equal(tag_of(object)->owner, 2);
	bin_give(2, &object, 1);
}

/* One that is empty is closed like any other. */
TEST(test_waning_slabs_are_closed, NULL, collected)
{
	struct span *slab = slab_open(CLASS, 1);
	uint32_t before = slab_nr_open(CLASS);

	slab_wane(slab);
	partial_push(&bin_set_of(1)->bins[CLASS], 0, slab);
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	assert_int_equal(slab_nr_open(CLASS), before - 1);
}

/* Entries of sampled objects have no magic number, and get none. */
TEST(test_sampled_slabs_do_not_wane, NULL, collected)
{
	struct span *slab = slab_open(CLASS, SLAB_SAMPLED);
	uint32_t unit = region_span_unit(&regions[0], slab);

	slab_wane(slab);
	assert_false(slab_is_waning(slab));
	assert_true(tag_is_sampled(&regions[0].tags[unit]));
	slab_close(slab);
}

TEST_MAIN(heap_setup, NULL)
