/* cpucache/cpu_cache.h: objects that are not handed out where they were freed,
 * and what they may take of a CPU's bytes */
#include "lane_fixture.h"

/* Objects smaller than a line are not handed out where they were freed if
 * another id owns their slab; larger ones are. */
TEST_WHERE(has_lanes(), test_tiny_objects_go_home, fresh, done)
{
	unsigned id = rseq_current_id(), i, nr = REMOTE_LANE_SLOTS;
	void *object, *another;
	struct lane *remote;
	uint64_t nr_flushes;

	miss(SIZE_CLASS_48);
	remote = areas_lane(id, REMOTE_LANES + SIZE_CLASS_48);
	while (nr_held <= nr)
		nr_held += bin_take(id + 1, SIZE_CLASS_48, held + nr_held, 1);
	object = held[1];
	for (i = 1; i <= nr; i++) {
		heap_free(held[i]);
		assert_int_equal(lane_nr(remote), i);
		assert_false(object_is_free(held[i]));
	}
	for (nr_held = 1; nr_held < 300;) {
		hold(block_alloc(48));
		assert_ptr_not_equal(held[nr_held - 1], object);
	}
	/* The lane is full: a batch goes to its slab. */
	assert_int_equal(bin_take(id + 1, SIZE_CLASS_48, &another, 1), 1);
	nr_flushes = 1 + load_relaxed(&own()->nr_flushes); // counter
	heap_free(another);
	assert_true(load_relaxed(&own()->nr_flushes) == nr_flushes); // counter
	assert_int_equal(lane_nr(remote), 1);
	assert_true(object_is_free(object));
	assert_int_equal(bin_take(id + 1, SIZE_CLASS_64, &another, 1), 1);
	miss(SIZE_CLASS_64);
	heap_free(another);
	hold(block_alloc(64));
	assert_ptr_equal(held[nr_held - 1], another);
}

/* What a waning slab's own CPU frees goes home, too. */
TEST_WHERE(has_lanes(), test_objects_of_waning_slabs_go_home, fresh, done)
{
	struct lane *lane, *remote;
	struct block block;
	uint64_t count;
	void *object = block_alloc(1024);

	page_map_find(object, &block);
	lane = areas_lane(rseq_current_id(), block.size_class);
	remote = areas_lane(rseq_current_id(), REMOTE_LANES + block.size_class);
	hold(cpu_cache_alloc_slow(block.size_class));
	slab_wane(&block.region->spans[block.unit]);
	count = lane_nr(lane);
	heap_free(object);
	assert_true(lane_nr(lane) == count);
	assert_int_equal(lane_nr(remote), 1);
	slab_revive(&block.region->spans[block.unit]);
	object = block_alloc(1024);
	heap_free(object);
	assert_true(lane_nr(lane) == count);
	assert_int_equal(lane_nr(remote), 1);
}

TEST_WHERE(has_lanes(), test_tiny_object_freed_twice, fresh, done)
{
	void *object;

	miss(SIZE_CLASS_16);
	bin_take(rseq_current_id() + 1, SIZE_CLASS_16, &object, 1);
	heap_free(object);
	assert_fault("free of %p: already free", object, heap_free(object));
	assert_int_equal(cpu_cache_free_remote(object, 0), REMOTE_REFUSED);
	hold(object); /* it was in the hands of the one that died */
}

TEST_WHERE(has_lanes(), test_no_bytes_for_remote_lanes, fresh, done)
{
	void *object;

	config.cpu_cache = 0;
	miss(SIZE_CLASS_16);
	bin_take(rseq_current_id() + 1, SIZE_CLASS_16, &object, 1);
	heap_free(object);
	assert_true(object_is_free(object));
}

/* Another id's, of a tiny class; of a larger one, a waning slab's. */
static void free_one_that_goes_home(unsigned size_class)
{
	struct block block;
	void *object;

	bin_take(rseq_current_id() + 1, size_class, &object, 1);
	page_map_find(object, &block);
	if (size_class > NR_TINY)
		slab_wane(&block.region->spans[block.unit]);
	heap_free(object);
}

TEST_WHERE(has_lanes(), test_remote_lanes_stay_within_the_bytes, fresh, done)
{
	unsigned size_class, round, nr_waiting = 0;

	config.cpu_cache = 64 << 10;
	miss(SIZE_CLASS_16);
	for (round = 0; round < 4; round++)
		for (size_class = 1; size_class < NR_FIXED_CLASSES;
		     size_class++) {
			free_one_that_goes_home(size_class);
			assert_int_equal(used_now(), sum_of_limits());
			assert_true(used_now() <= config.cpu_cache);
			assert_true(stats_now().cached_size <=
				    config.cpu_cache);
		}
	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++)
		nr_waiting += count_of(REMOTE_LANES + size_class) > 0;
	assert_true(nr_waiting > 1);
}

/* Where there is room each takes its batch, and gives it up for others. */
TEST_WHERE(has_lanes(), test_remote_lanes_take_a_batch, fresh, done)
{
	unsigned remote = REMOTE_LANES + SIZE_CLASS_48, i;

	config.cpu_cache = 64 << 10;
	miss(SIZE_CLASS_16);
	free_one_that_goes_home(SIZE_CLASS_48);
	assert_int_equal(limit_of(remote), size_classes[remote].batch);
	assert_int_equal(count_of(remote), 1);
	owe(CLASS, SLOTS);
	for (i = 0; i < NR_LANES && limit_of(remote); i++) {
		miss(CLASS);
		give_held();
	}
	assert_in_range(limit_of(remote), 0, size_classes[remote].batch - 1);
	assert_int_equal(used_now(), sum_of_limits());
}

TEST_MAIN(heap_setup_pinned, NULL)
