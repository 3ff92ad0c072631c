/* slab/size_class.h: the table against the rules that its header states */
#include "slab_fixture.h"

#include "slab/size_class.c"

#include "cpucache/percpu.h"

TEST(test_every_size_has_the_smallest_class)
{
	size_t size;
	unsigned class;

	for (size = 0; size <= SMALL_SIZE_MOST; size++) {
		class = size_class_of(size);
		assert_in_range(class, 1, NR_FIXED_CLASSES - 1);
		assert_true(size_classes[class].size >= size);
		assert_true(class == 1 || size_classes[class - 1].size < size);
		assert_int_equal(size_lanes[(size + 15) / 16],
				 size_classes[class].lane);
	}
	for (; size <= MEDIUM_SIZE_MOST; size++) {
		class = size_class_of_medium(size);
		assert_in_range(class, 1, NR_FIXED_CLASSES - 1);
		assert_true(size_classes[class].size >= size);
		assert_true(size_classes[class - 1].size < size);
	}
	assert_int_equal(class, NR_FIXED_CLASSES - 1);
}

TEST(test_steps_lose_at_most_a_fifth)
{
	unsigned class;

	for (class = 9; class < NR_FIXED_CLASSES; class++) {
		uint32_t below = size_classes[class - 1].size;
		uint32_t size = size_classes[class].size;

		assert_true((size - below - 1) * 5 <= size);
		assert_int_equal(size % 16, 0);
	}
}

TEST(test_geometry_of_slabs)
{
	unsigned class;

	for (class = 1; class < NR_FIXED_CLASSES; class++) {
		const struct size_class *c = &size_classes[class];
		size_t whole = c->nr_units * UNIT_SIZE;
		size_t used = (size_t)c->nr_objects * c->size;

		assert_true(used <= whole && whole - used < c->size);
		assert_true((whole - used) * 32 <= whole);
		if (c->size <= SMALL_SIZE_MOST)
			assert_true(c->nr_objects >=
				    (c->size > 28672 ? 4 : 8));
		assert_true(c->nr_words <= UNIT_BITS_WORDS);
		assert_true(c->nr_units <= HUGEPAGE_UNITS);
		assert_in_range(c->batch, 1, c->lane_slots);
	}
}

TEST(test_magic_tells_starts_from_insides)
{
	unsigned class;
	uint64_t offset;

	for (class = 1; class < NR_FIXED_CLASSES; class++) {
		const struct size_class *c = &size_classes[class];

		for (offset = 0; offset < c->nr_units * UNIT_SIZE; offset++) {
			int start = offset * c->magic < c->magic;

			if (start != (offset % c->size == 0))
				fail_msg("class %u offset %lu", class, offset);
		}
	}
}

/* A word is in front of each lane's slots that nobody writes. */
TEST(test_lanes_do_not_overlap)
{
	size_t end = size_class_lanes_size(), room;
	unsigned class, rows[NR_LANES], i = 0;

	for (class = 1; class < NR_LANES; class++)
		assert_int_equal(size_classes[class].lane * 8,
				 class * sizeof(struct lane));
	assert_true(end <= REGION_ZERO_SIZE);
	for (class = NR_CLASSES; class < NR_LANES; class++)
		rows[i++] = class;
	for (class = NR_FIXED_CLASSES; class < NR_CLASSES; class++)
		rows[i++] = class;
	for (class = 1; class < NR_FIXED_CLASSES; class++)
		rows[i++] = class;
	assert_int_equal(i, NR_LANES - 1);
	for (i = 0; i < NR_LANES - 1; i++) {
		const struct size_class *c = &size_classes[rows[i]];

		assert_true(c->slots >= end + 8);
		room = c->lane_slots;
		if (rows[i] >= NR_FIXED_CLASSES && rows[i] < NR_CLASSES)
			room = size_classes[SIZE_CLASS_160].lane_slots;
		end = c->slots + 8 * room;
	}
	assert_true(size_class_area_size() >= end);
}

static void *first_caller(void *limited)
{
	store_relaxed(&slots_shift, 0); // own
	fake.address_limit = limited ? 1 << 20 : 0;
	size_class_start();
	fake.address_limit = limited ? 0 : 1 << 20;
	size_class_start();
	return NULL;
}

/* Less room where address space is limited; the first call decides. */
TEST(test_limited_lanes_are_shorter)
{
	size_t size = size_class_area_size();
	unsigned class;

	first_caller(&size);
	assert_true(size_class_area_size() < (512 << 10));
	for (class = 1; class < NR_FIXED_CLASSES; class++)
		assert_in_range(size_classes[class].lane_slots,
				min_size(512, geometry[class].lane_slots),
				geometry[class].lane_slots);
	test_lanes_do_not_overlap();
	first_caller(NULL);
	assert_int_equal(size_class_area_size(), size);
	fake.address_limit = 0;
}

TEST(test_aligned)
{
	size_t size, align;
	unsigned class;

	for (align = 1; align <= UNIT_SIZE; align *= 2)
		for (size = 0; size <= MEDIUM_SIZE_MOST; size += 8) {
			class = size_class_aligned(size, align);
			assert_true(size_classes[class].size >= size);
			assert_int_equal(size_classes[class].size % align, 0);
		}
	assert_int_equal(size_class_aligned(1, 2 * UNIT_SIZE), 0);
	assert_int_equal(size_class_aligned(MEDIUM_SIZE_MOST + 1, 32), 0);
}

int main(void)
{
	size_class_start();
	return tests_run(NULL, NULL);
}
