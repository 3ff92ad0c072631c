/* slab/size_class.h: the table against the rules that its header states */
#include "slab_fixture.h"

#include "slab/size_class.c"

#include "cpucache/percpu.h"

TEST(test_every_size_has_the_smallest_class)
{
	size_t size;
	unsigned size_class;

	for (size = 0; size <= SMALL_SIZE_MOST; size++) {
		size_class = size_class_of(size);
		assert_in_range(size_class, 1, NR_FIXED_CLASSES - 1);
		assert_true(size_classes[size_class].size >= size);
		assert_true(size_class == 1 ||
			    size_classes[size_class - 1].size < size);
		assert_int_equal(size_lanes[(size + 15) / 16],
				 size_classes[size_class].lane);
	}
	for (; size <= MEDIUM_SIZE_MOST; size++) {
		size_class = size_class_of_medium(size);
		assert_in_range(size_class, 1, NR_FIXED_CLASSES - 1);
		assert_true(size_classes[size_class].size >= size);
		assert_true(size_classes[size_class - 1].size < size);
	}
	assert_int_equal(size_class, NR_FIXED_CLASSES - 1);
}

TEST(test_steps_lose_at_most_a_fifth)
{
	unsigned size_class;

	for (size_class = 9; size_class < NR_FIXED_CLASSES; size_class++) {
		uint32_t below = size_classes[size_class - 1].size;
		uint32_t size = size_classes[size_class].size;

		assert_true((size - below - 1) * 5 <= size);
		assert_int_equal(size % 16, 0);
	}
}

TEST(test_geometry_of_slabs)
{
	FOR_EACH_CLASS(size_class) {
		const struct size_class *c = &size_classes[size_class];
		size_t whole = c->nr_units * UNIT_SIZE;
		size_t used = (size_t)c->nr_objects * c->size;

		assert_true(used <= whole && whole - used < c->size);
		assert_true((whole - used) * 32 <= whole);
		if (c->size <= SMALL_SIZE_MOST)
			assert_true(c->nr_objects >= min_size(8, c->batch));
		assert_true(c->nr_words <= UNIT_BITS_WORDS);
		assert_true(c->nr_units <= HUGEPAGE_UNITS);
		assert_in_range(c->batch, 1, c->lane_slots);
	}
}

/* With any owner in its low end, and also at the object's number. */
static void magic_is_exact(const struct size_class *c, uint64_t owner)
{
	uint64_t magic = c->magic | owner, offset;

	assert_int_equal(c->magic & TAG_OWNER_MASK, 0);
	for (offset = 0; offset < c->nr_units * UNIT_SIZE; offset++) {
		int start = offset * magic < magic;

		if (start != (offset % c->size == 0))
			fail_msg("size %u owner %lu offset %lu", c->size,
				 owner, offset);
		if (start && (unsigned __int128)magic * offset >> 64 !=
				     offset / c->size)
			fail_msg("size %u owner %lu number at %lu", c->size,
				 owner, offset);
	}
}

TEST(test_magic_tells_starts_from_insides)
{
	static const uint64_t owners[] = { 0, 1, 255, REGION_TABLE_WORDS - 1,
					   TAG_OWNER_MASK };

	FOR_EACH_CLASS(size_class)
		for (unsigned i = 0; i < 5; i++)
			magic_is_exact(&size_classes[size_class], owners[i]);
}

/* Every size that a fitted class may have. */
TEST(test_magic_of_fitted_sizes)
{
	struct size_class c = { .nr_units = FITTED_UNITS_MOST };

	for (c.size = 144; c.size <= SMALL_SIZE_MOST; c.size += 16) {
		c.magic = class_magic(c.size);
		if (c.size % 256 == 144)
			magic_is_exact(&c, TAG_OWNER_MASK);
	}
}

/* The class and its lane are one field of a tag, wide enough for all. */
TEST(test_tags_have_room)
{
	struct unit_tag tag = { 0 };
	unsigned size_class;

	assert_int_equal(LANE_WORDS, 4);
	assert_true(REGION_TABLE_WORDS <= TAG_OWNER_MASK + 1);
	for (size_class = 0; size_class < NR_LANES; size_class++) {
		tag.lane = (uint16_t)(size_class * LANE_WORDS);
		assert_int_equal(tag.size_class, size_class);
	}
	tag = (struct unit_tag){ .size_class = CLASS_LARGE };
	assert_int_equal(tag.magic, 0);
	assert_int_equal(tag.size_class, CLASS_LARGE);
	for (size_class = 0; size_class < 1 << 14; size_class += 1000) {
		tag.size_class = (uint16_t)size_class & 0x3fff;
		assert_int_equal(tag.lane, size_class * LANE_WORDS);
		assert_int_equal(tag.remote, 0);
	}
	tag.magic = 5 << 16;
	tag.owner = 8191;
	assert_int_equal(tag.magic, (5 << 16) + 8191);
	assert_int_equal(tag.start, 0);
}

/* A word is in front of each lane's slots that nobody writes. The last row is
 * the empty lane. */
TEST(test_lanes_do_not_overlap)
{
	size_t end = size_class_lanes_size(), room;
	unsigned size_class, rows[NR_LANES], i = 0;

	for (size_class = 1; size_class < NR_LANES - 1; size_class++)
		assert_int_equal(size_classes[size_class].lane * 8,
				 size_class * sizeof(struct lane));
	assert_true(end <= REGION_ZERO_SIZE);
	for (size_class = NR_CLASSES; size_class < NR_LANES - 1; size_class++)
		rows[i++] = size_class;
	for (size_class = NR_FIXED_CLASSES; size_class < NR_CLASSES;
	     size_class++)
		rows[i++] = size_class;
	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++)
		rows[i++] = size_class;
	assert_int_equal(i, NR_LANES - 2);
	for (i = 0; i < NR_LANES - 2; i++) {
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

	first_caller(&size);
	assert_true(size_class_area_size() < (512 << 10));
	FOR_EACH_CLASS(size_class)
		assert_in_range(size_classes[size_class].lane_slots,
				min_size(512, geometry[size_class].lane_slots),
				geometry[size_class].lane_slots);
	test_lanes_do_not_overlap();
	first_caller(NULL);
	assert_int_equal(size_class_area_size(), size);
	fake.address_limit = 0;
}

TEST(test_aligned)
{
	unsigned size_class;

	for (size_t align = 1; align <= UNIT_SIZE; align *= 2)
		for (size_t size = 0; size <= MEDIUM_SIZE_MOST; size += 8) {
			size_class = size_class_aligned(size, align);
			assert_true(size_classes[size_class].size >= size);
			assert_int_equal(size_classes[size_class].size % align,
					 0);
		}
	assert_int_equal(size_class_aligned(1, 2 * UNIT_SIZE), 0);
	assert_int_equal(size_class_aligned(MEDIUM_SIZE_MOST + 1, 32), 0);
}

int main(void)
{
	size_class_start();
	return tests_run(NULL, NULL);
}
