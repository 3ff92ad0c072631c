/* cpucache/cpu_cache.h: lanes appear, grow, shrink, refill and flush */
#include "lane_fixture.h"

TEST_WHERE(has_lanes(), test_first_miss_installs_lanes, fresh, done)
{
	unsigned id = rseq_current_id(), i;

	assert_null(cpu_cache_of(id));
	hold(cpu_cache_alloc_slow(CLASS));
	assert_ptr_equal(cpu_cache_of(id), own());
	assert_true(cpu_cache_nr_ids() > id);
	assert_ptr_equal(own_lane(CLASS),
			 cpu_cache_lane(cpu_cache_area(own(), 0), CLASS));
	assert_int_equal(limit_of(CLASS), BATCH);
	assert_int_equal(count_of(CLASS), BATCH - 1);
	hold_lane(CLASS);
	assert_int_equal(nr_held, BATCH);
	for (i = 1; i < nr_held; i++)
		assert_ptr_not_equal(held[i], held[i - 1]);
}

/* Behind the first, which is a batch's last. */
TEST_WHERE(has_lanes(), test_a_batch_comes_by_address, fresh, done)
{
	size_t size = size_classes[CLASS].size;

	hold(cpu_cache_alloc_slow(CLASS));
	hold_lane(CLASS);
	assert_ptr_equal(held[0], (char *)held[1] + (BATCH - 1) * size);
	for (unsigned i = 2; i < nr_held; i++)
		assert_ptr_equal(held[i], (char *)held[i - 1] + size);
}

/* One died between the areas and the table word; one lost the race. */
TEST_WHERE(has_lanes(), test_areas_without_a_table_word_are_used, fresh, done)
{
	uint64_t before;
	char *areas;

	assert_true(areas_add(rseq_current_id(), own()));
	areas = cpu_cache_area(own(), 0);
	before = claimed_size();
	assert_true(areas_add(rseq_current_id(), own()));
	assert_ptr_equal(cpu_cache_area(own(), 0), areas);
	assert_int_equal(claimed_size(), before);
	miss(CLASS);
	assert_ptr_equal(own_lane(CLASS), cpu_cache_lane(areas, CLASS));
}

TEST_WHERE(has_lanes(), test_direct_without_areas, fresh, done)
{
	uint64_t before = load_relaxed(&own()->nr_direct); // counter
	void *object;

	no_areas = true;
	object = cpu_cache_alloc_slow(CLASS);
	assert_non_null(object);
	cpu_cache_free_slow(object, CLASS);
	assert_null(cpu_cache_of(rseq_current_id()));
	assert_int_equal(load_relaxed(&own()->nr_direct), // counter
			 before + 2);
	no_areas = false;
	/* The system is asked again after a while, not at every call. */
	miss(CLASS);
	assert_null(cpu_cache_of(rseq_current_id()));
	for (unsigned i = 0; i < AREAS_REFUSED_PASSES; i++)
		miss(CLASS);
	assert_non_null(cpu_cache_of(rseq_current_id()));
}

TEST_WHERE(has_lanes(), test_misses_alone_keep_a_batch, fresh, done)
{
	unsigned i;

	for (i = 1; i <= SLOTS / BATCH; i++) {
		miss(CLASS);
		assert_int_equal(limit_of(CLASS), BATCH);
		assert_int_equal(used_now(), sum_of_limits());
		assert_in_range(count_of(CLASS), 0, BATCH - 1);
	}
	assert_int_equal(load_relaxed(&own()->nr_refills), i - 1); // counter
}

TEST_WHERE(has_lanes(), test_misses_answer_flushes, fresh, done)
{
	miss(CLASS);
	owe(CLASS, 5);
	for (unsigned i = 1; i <= 8; i++) {
		miss(CLASS);
		assert_int_equal(limit_of(CLASS), (1 + min_size(i, 5)) * BATCH);
		assert_int_equal(used_now(), sum_of_limits());
	}
	owe(CLASS, SLOTS);
	for (unsigned i = 0; i < SLOTS / BATCH; i++)
		miss(CLASS);
	assert_int_equal(limit_of(CLASS), SLOTS);
}

/* The lane takes two batches, then each overflow flushes one; after some it
 * goes down to a batch. */
TEST_WHERE(has_lanes(), test_frees_alone_flush, fresh, done)
{
	for (unsigned i = 0; i < SLOTS; i++)
		hold(cpu_cache_alloc_direct(CLASS));
	for (unsigned i = 1; i <= 2 * BATCH; i++) {
		cpu_cache_free_slow(held[--nr_held], CLASS);
		assert_int_equal(count_of(CLASS), i);
		assert_int_equal(limit_of(CLASS), round_up(i, BATCH));
	}
	assert_int_equal(load_relaxed(&own()->nr_flushes), 0); // counter
	cpu_cache_free_slow(held[--nr_held], CLASS);
	assert_int_equal(count_of(CLASS), BATCH + 1);
	assert_int_equal(limit_of(CLASS), 2 * BATCH);
	assert_int_equal(load_relaxed(&own()->nr_flushes), 1); // counter
	while (nr_held)
		cpu_cache_free_slow(held[--nr_held], CLASS);
	assert_int_equal(limit_of(CLASS), BATCH);
	assert_true(count_of(CLASS) <= BATCH);
}

static void turn(unsigned n)
{
	void *object;

	while (n--) {
		object = percpu_pop(class_lane(&size_classes[CLASS]));
		hold(object ? object : cpu_cache_alloc_slow(CLASS));
	}
	while (nr_held) {
		object = held[--nr_held];
		if (!percpu_push(class_lane(&size_classes[CLASS]), object))
			cpu_cache_free_slow(object, CLASS);
	}
}

/* Phases that allocate and free so many: from the fourth on the lane has
 * them. */
TEST_WHERE(has_lanes(), test_turns_fit_the_lane, fresh, done)
{
	unsigned n = SLOTS - BATCH, i;
	uint64_t flushes, refills;

	for (i = 0; i < 3; i++)
		turn(n);
	assert_in_range(limit_of(CLASS), n, SLOTS);
	flushes = load_relaxed(&own()->nr_flushes); // counter
	refills = load_relaxed(&own()->nr_refills); // counter
	turn(n);
	assert_int_equal(load_relaxed(&own()->nr_flushes), flushes); // counter
	assert_int_equal(load_relaxed(&own()->nr_refills), refills); // counter
}

TEST_WHERE(has_lanes(), test_medium_lanes_are_bounded, fresh, done)
{
	for (unsigned i = 0; i < 20; i++) {
		owe(SIZE_CLASS_65536, 1);
		miss(SIZE_CLASS_65536);
		owe(SIZE_CLASS_262144, 1);
		miss(SIZE_CLASS_262144);
	}
	assert_int_equal(limit_of(SIZE_CLASS_65536),
			 config.cpu_cache / 8 / 65536);
	assert_int_equal(limit_of(SIZE_CLASS_262144), 1);
}

/* Frees alone: the limit goes down to a batch, so that few objects keep
 * their slabs from being empty; the first miss ends that. */
TEST_WHERE(has_lanes(), test_only_frees_keep_a_batch, fresh, done)
{
	uint64_t limit;

	config.cpu_cache = 6 * BATCH * CLASS_SIZE;
	for (unsigned i = 0; i < 40 * BATCH; i++)
		hold(cpu_cache_alloc_direct(CLASS));
	for (unsigned i = 0; i < 40 * BATCH; i++) {
		heap_free(held[--nr_held]);
		assert_int_equal(used_now(), sum_of_limits());
	}
	limit = limit_of(CLASS);
	assert_in_range(limit, BATCH, 2 * BATCH - 1);
	assert_in_range(count_of(CLASS), 0, limit);
	assert_true(load_relaxed(&own()->nr_flushes) > ONLY_FREES); // counter
	miss(CLASS);
	limit += BATCH;
	assert_int_equal(limit_of(CLASS), limit);
	for (unsigned i = 0; i < limit; i++)
		heap_free(cpu_cache_alloc_direct(CLASS));
	assert_true(limit_of(CLASS) > limit);
}

TEST_WHERE(has_lanes(), test_limits_stay_within_the_bytes, fresh, done)
{
	config.cpu_cache = 128 << 10;
	for (unsigned round = 0; round < 20; round++)
		FOR_EACH_CLASS(size_class) {
			miss(size_class);
			give_held();
			assert_int_equal(used_now(), sum_of_limits());
			assert_true(used_now() <= config.cpu_cache);
		}
	assert_true(used_now() > config.cpu_cache / 4);
}

/* So do the objects: a limit that sinks takes what lies above it along. */
TEST_WHERE(has_lanes(), test_objects_stay_within_the_bytes, fresh, done)
{
	struct cpu_cache_stats stats;
	unsigned size_class, i, n;

	config.cpu_cache = 1 << 20;
	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++) {
		n = (2u << 20) / size_classes[size_class].size;
		n = n < MOST ? n : MOST;
		for (i = 0; i < n && i < size_classes[size_class].lane_slots;
		     i++)
			hold(cpu_cache_alloc_direct(size_class));
		while (nr_held)
			cpu_cache_free_slow(held[--nr_held], size_class);
		cpu_cache_stats(&stats);
		assert_true(stats.cached_size <= config.cpu_cache);
	}
	assert_true(stats.cached_size > config.cpu_cache / 4);
}

/* A class that took everything gives way to one that misses. */
TEST(test_growth_takes_from_others, fresh, done)
{
	unsigned nr_cpus = rseq_state.nr_cpus, i;
	uint64_t hog;

	/* Others' shares are theirs: the figures are those of two CPUs,
	 * whatever CPU this is. */
	if (!has_lanes() || cpu_cache_nr_ids() > 2)
		skip();
	rseq_state.nr_cpus = 2;
	config.cpu_cache = SLOTS * CLASS_SIZE;
	owe(CLASS, SLOTS);
	for (i = 0; i < SLOTS / BATCH; i++)
		miss(CLASS);
	hog = limit_of(CLASS);
	assert_int_equal(hog, SLOTS);
	for (i = 0; i < NR_CLASSES && !limit_of(SIZE_CLASS_128); i++)
		miss(SIZE_CLASS_128);
	assert_int_equal(limit_of(SIZE_CLASS_128), 128);
	assert_int_equal(limit_of(CLASS), hog - TRIM_ROUNDS * BATCH);
	assert_int_equal(used_now(), sum_of_limits());
	rseq_state.nr_cpus = nr_cpus;
}

TEST_WHERE(has_lanes(), test_no_bytes_for_the_cache, fresh, done)
{
	config.cpu_cache = 0;
	for (unsigned i = 0; i < 100; i++) {
		miss(CLASS);
		assert_int_equal(count_of(CLASS), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		cpu_cache_free_slow(held[--nr_held], CLASS);
		assert_int_equal(count_of(CLASS), 0);
	}
	assert_int_equal(sum_of_limits(), 0);
	assert_int_equal(used_now(), 0);
}

static void heals(uint64_t wrong)
{
	unsigned i;

	store_relaxed(&own()->used_size, wrong); // own
	owe(CLASS, NR_CLASSES);
	for (i = 0; i < NR_CLASSES && used_now() != sum_of_limits(); i++)
		miss(CLASS);
	assert_int_equal(used_now(), sum_of_limits());
	assert_true(limit_of(CLASS) > 0);
}

TEST_WHERE(has_lanes(), test_used_size_heals, fresh, done)
{
	miss(CLASS);
	heals((uint64_t)-1 << 30);
	forget_id();
	miss(SIZE_CLASS_16);
	lane_set_limit(own_lane(SIZE_CLASS_16), 0);
	heals(config.cpu_cache);
}

/* As areas stay that have no table word, as their maker died. */
TEST(test_areas_of_the_dead, fresh, done)
{
	unsigned orphan = NR_IDS_MOST - 2;
	struct cpu_cache *cache = &cpu_caches[orphan];
	uint32_t before = load_relaxed(&nr_ids); // own
	char *areas = place_map(2 * area_size());

	assert_non_null(areas);
	areas_close(areas);
	areas_close(areas + area_size());
	store_relaxed(&cache->areas, areas); // own
	assert_true(areas_install(orphan, cache));
	assert_ptr_equal(cpu_cache_area(cache, 0), areas);
	assert_true(cpu_cache_nr_ids() > orphan);
	store_relaxed(cpu_cache_table_word(orphan), 0); // own
	store_relaxed(&cache->areas, NULL);		// own
	store_relaxed(&nr_ids, before);			// own
	system_unmap(areas, 2 * area_size());
}

/* The next miss opens what one left closed who died behind the move of its
 * end. */
TEST_WHERE(has_lanes(), test_half_open_lane, fresh, done)
{
	struct lane *lane;

	miss(SIZE_CLASS_16);
	lane = own_lane(CLASS);
	store_relaxed(&lane->end, lane_end(lane, BATCH)); // own
	assert_int_equal(count_of(CLASS), 0);
	miss(CLASS);
	assert_true(count_of(CLASS) > 0);
	assert_int_equal(limit_of(CLASS), BATCH);
}

/* Sections that run on such an id find all its lanes empty and full. */
TEST(test_ids_without_lanes, fresh, done)
{
	struct lane *lane;

	for (unsigned size_class = 1; size_class < NR_LANES; size_class++) {
		lane = areas_lane(NR_IDS_MOST - 1, size_class);
		assert_null(*load_relaxed(&lane->top)); // own
		assert_int_equal(lane_nr(lane), 0);
		assert_int_equal(lane_limit(lane), 0);
	}
}

TEST_WHERE(has_lanes(), test_double_free_of_the_top, fresh, done)
{
	void *object;

	miss(CLASS);
	hold_lane(CLASS);
	object = held[--nr_held];
	cpu_cache_free_slow(object, CLASS);
	assert_int_equal(count_of(CLASS), 1);
	assert_fault("free of %p: already free", object,
		     cpu_cache_free_slow(object, CLASS));
	assert_int_equal(count_of(CLASS), 0); /* who died had the batch */
	hold(object);
}

TEST_WHERE(has_lanes(), test_flush_own_empties, fresh, done)
{
	FOR_EACH_CLASS(size_class)
		miss(size_class);
	give_held();
	cpu_cache_flush_own();
	FOR_EACH_CLASS(size_class)
		assert_int_equal(count_of(size_class), 0);
	assert_int_equal(stats_now().cached_size, 0);
}

TEST_WHERE(has_lanes(), test_stats, fresh, done)
{
	struct cpu_cache_stats before, now;

	cpu_cache_stats(&before);
	assert_int_equal(before.nr_cpu_caches, 0);
	miss(CLASS);
	miss(SIZE_CLASS_32768);
	cpu_cache_free_direct(held[--nr_held]);
	cpu_cache_stats(&now);
	assert_int_equal(now.nr_cpu_caches, 1);
	assert_int_equal(now.nr_refills, before.nr_refills + 2);
	assert_int_equal(now.nr_direct, before.nr_direct + 1);
	assert_int_equal(now.cached_size,
			 count_of(CLASS) * CLASS_SIZE +
				 count_of(SIZE_CLASS_32768) * 32768);
}

TEST_MAIN(heap_setup_pinned, NULL)
