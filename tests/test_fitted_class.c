/* slab/fitted_class.h: when a class is made, what it is, and who gets it */
#include "slab_fixture.h"

#include <pthread.h>
#include <string.h>

#include "slab/fitted_class.c"
#include "slab/slab_purge.h"

#define OWNER 0

/* The steps of a program that grows by one size. */
static unsigned grow(size_t size, unsigned nr_slabs)
{
	unsigned size_class = size_class_of(size);

	while (nr_slabs--) {
		assert_non_null(slab_open(size_class, OWNER));
		fitted_class_note(size_class, size);
	}
	return size_class_of(size);
}

static int fitted_setup(void **state);

/* Samples fill a window while slabs become more; the end of one leaves nothing
 * but how many there were. */
TEST(test_windows_by_enumeration, fitted_setup)
{
	static const uint32_t counts[] = { 0, 1, 2, INT32_MAX, UINT32_MAX };
	struct window w, next;
	unsigned i, k;

	for (i = 0; i < 5 * 5 * 4 * 4; i++) {
		w = (struct window){ (uint16_t)(i / 25 % 4 * 0x5555),
				     (uint16_t)(i / 100 * 100), counts[i % 5] };
		k = counts[i / 5 % 5];
		next = window_unpack(window_pack(w));
		assert_memory_equal(&next, &w, sizeof(w));
		assert_int_equal(window_is_open(w, k),
				 k != w.slabs && k - w.slabs < 1u << 31);
		next = window_sampled(w, 0x6000, k);
		assert_int_equal(next.most, w.most > 0x6000 ? w.most : 0x6000);
		assert_int_equal(next.nr, w.nr + 1);
		assert_int_equal(next.slabs, k);
		assert_false(window_is_open(next, k));
		assert_true(window_is_open(next, k + 1));
		next = window_ended(next);
		assert_int_equal(window_pack(next), (uint64_t)k << 32);
	}
}

TEST(test_a_class_fits, fitted_setup)
{
	unsigned old = size_class_of(1096), new;

	assert_int_equal(grow(1096, window_samples() - 1), old);
	assert_int_equal(fitted_class_count(), 0);
	new = grow(1096, 1);
	assert_int_equal(new, NR_FIXED_CLASSES);
	assert_int_equal(fitted_class_count(), 1);
	assert_int_equal(size_classes[new].size, 1152);
	assert_int_equal(size_classes[new].fixed, old);
	assert_int_equal(size_class_of(1089), new);
	assert_int_equal(size_class_of(1088), old - 1);
	assert_int_equal(size_class_of(1153), old);
	assert_int_equal(size_lanes[1152 / 16], size_classes[new].lane);
	assert_int_equal(size_lanes[1168 / 16], size_classes[old].lane);
	/* Alignment is the fixed classes' work. */
	assert_int_equal(size_class_aligned(1096, 64), old);
	assert_int_equal(size_class_aligned(1096, 16), old);
}

/* Start-up may run again at any time. */
TEST(test_start_again, fitted_setup)
{
	unsigned size_class = grow(1096, window_samples());

	assert_int_equal(size_class, NR_FIXED_CLASSES);
	size_class_start();
	assert_int_equal(size_class_of(1096), size_class);
	assert_int_equal(size_classes[size_class].size, 1152);
	assert_int_equal(size_lanes[1152 / 16], size_classes[size_class].lane);
}

/* One size of the upper end in a window: the class stays. */
TEST(test_few_large_ones_forbid, fitted_setup)
{
	unsigned old = size_class_of(1096), i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(grow(1096, window_samples() - 1), old);
		assert_int_equal(grow(1280, 1), old);
	}
	assert_int_equal(fitted_class_count(), 0);
	assert_true(grow(1096, window_samples()) != old);
}

TEST(test_little_saving_is_none, fitted_setup)
{
	unsigned old = size_class_of(1256);

	assert_int_equal(grow(1256, 3 * window_samples()), old);
	assert_int_equal(grow(64, 3 * window_samples()), size_class_of(64));
	assert_int_equal(grow(128, 3 * window_samples()), size_class_of(128));
	assert_int_equal(fitted_class_count(), 0);
}

/* Misses alone, of a program that does not grow, are no sample. */
TEST(test_only_growth_counts, fitted_setup)
{
	unsigned size_class = size_class_of(1096), i;

	assert_int_equal(grow(1096, 1), size_class);
	for (i = 0; i < 10 * window_samples(); i++)
		fitted_class_note(size_class, 1096);
	assert_int_equal(fitted_class_count(), 0);
}

TEST(test_medium_sizes_are_left_alone, fitted_setup)
{
	unsigned size_class = size_class_of_medium(SMALL_SIZE_MOST + 1), i;

	for (i = 0; i < 3 * window_samples(); i++) {
		assert_non_null(slab_open(size_class, OWNER));
		fitted_class_note(size_class, SMALL_SIZE_MOST + 1);
	}
	assert_int_equal(fitted_class_count(), 0);
}

/* What opens and closes the same slabs again and again does not grow. */
TEST(test_churn_is_no_growth, fitted_setup)
{
	unsigned size_class = size_class_of(1490), i;

	assert_int_equal(grow(1490, 1), size_class);
	for (i = 0; i < 10 * window_samples(); i++) {
		struct span *slab = slab_open(size_class, OWNER);

		fitted_class_note(size_class, 1490);
		slab_close(slab);
	}
	assert_int_equal(size_class_of(1490), size_class);
	assert_int_equal(fitted_class_count(), 0);
}

/* A small part of the heap is not worth it, until it is larger. */
TEST(test_small_share, fitted_setup)
{
	unsigned size_class = size_class_of(2100), i;

	for (i = 0; i < 60 * window_samples(); i++)
		assert_non_null(slab_open(SIZE_CLASS_2048, OWNER));
	assert_int_equal(grow(2100, window_samples()), size_class);
	assert_int_equal(fitted_class_count(), 0);
	assert_int_not_equal(grow(2100, 2 * window_samples()), size_class);
}

/* The two tables of a size disagree after a thread died: a miss mends it. */
TEST(test_mend, fitted_setup)
{
	unsigned size_class = size_class_of(1096);

	store_relaxed(&size_lanes[1104 / 16], 0); // own
	size_lane_mend(1096, size_class);
	assert_int_equal(size_lanes[1104 / 16], size_classes[size_class].lane);
}

/* A second one for the same fixed class takes the sizes above the first. */
TEST(test_two_of_one_class, fitted_setup)
{
	unsigned first = grow(1672, window_samples());
	unsigned second = grow(1800, window_samples());

	assert_int_equal(first, NR_FIXED_CLASSES);
	assert_int_equal(second, NR_FIXED_CLASSES + 1);
	assert_int_equal(size_class_of(1728), first);
	assert_int_equal(size_class_of(1729), second);
	assert_int_equal(size_class_of(1856), second);
	assert_int_equal(size_class_of(1857), SIZE_CLASS_2048);
}

TEST(test_there_are_so_many, fitted_setup)
{
	static const size_t sizes[] = { 164,  836,  1096, 1480, 2184, 2500,
					2820, 4612, 5130, 6150, 7200, 8200 };
	unsigned i, nr = 0;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned size_class = grow(sizes[i], window_samples());

		nr += size_class >= NR_FIXED_CLASSES;
		assert_true(size_classes[size_class].size >= sizes[i]);
	}
	assert_int_equal(nr, NR_FITTED);
	assert_int_equal(fitted_class_count(), NR_FITTED);
}

static bool loses_much(uint32_t size, unsigned units)
{
	size_t whole = units * UNIT_SIZE;

	return whole % size * 32 > whole || whole / size < 7;
}

/* Every size that there could be: the geometry keeps the slab's rules. */
TEST(test_geometry, fitted_setup)
{
	for (uint32_t size = 144; size <= SMALL_SIZE_MOST;
	     size += size < 512 ? 16 : 64) {
		struct fitted_geometry g = fitted_class_geometry(size);
		size_t whole = g.nr_units * UNIT_SIZE, used;

		used = (size_t)g.nr_objects * size;
		assert_true(used <= whole && whole - used < size);
		assert_true(div_up(g.nr_objects, 64) <= UNIT_BITS_WORDS);
		for (unsigned units = 1; units < g.nr_units; units++)
			assert_true(loses_much(size, units));
		assert_true(size > 8192 || !loses_much(size, g.nr_units));
	}
}

/* Objects of a fitted class go to its slabs and come back. */
TEST(test_objects, fitted_setup)
{
	unsigned size_class = grow(5200, window_samples()), i, n, nr = 0;
	void *objects[256];
	uint64_t word;
	struct span *slab = slab_open(size_class, OWNER);

	assert_int_equal(size_classes[size_class].size, 5248);
	while ((n = slab_take(slab, objects + nr, 5)))
		nr += n;
	assert_int_equal(nr, size_classes[size_class].nr_objects);
	for (i = 0; i < nr; i++)
		memset(objects[i], 0x5a, 5248);
	slab_check(slab);
	for (i = 0; i < nr; i++)
		give(slab, &objects[i], 1, &word);
	assert_true(slab_is_empty(slab));
	assert_true(slab_purge(slab) > 0);
	slab_close(slab);
}

#define NR_ROUNDS 300
#define NR_MAKERS 3

static _Atomic(unsigned) go;

static void *maker(void *size)
{
	while (!load_relaxed(&go)) // hint
		;
	fitted_class_make(SIZE_CLASS_1280, (uint32_t)(uintptr_t)size);
	return NULL;
}

/* Readers meanwhile, and at the end: each size's class holds it. */
static void every_size_fits(void)
{
	unsigned size, size_class;

	for (size = 1089; size <= 1280; size += 15) {
		size_class = size_class_of(size);
		assert_true(size_classes[size_class].size >= size);
		assert_true(size_classes[size_class].nr_objects > 0);
	}
}

static void forget(void)
{
	memset(windows, 0, sizeof(windows));
	memset(size_to_class, 0, sizeof(size_to_class));
	store_relaxed(&nr_fitted, 0);    // own
	store_relaxed(&budget.units, 0); // own
	size_class_start();
	for (unsigned size_class = NR_FIXED_CLASSES; size_class < NR_CLASSES;
	     size_class++) {
		size_classes[size_class].size = 0;
		size_classes[size_class].nr_objects = 0;
	}
}

TEST(test_makers_at_once, fitted_setup)
{
	static const uintptr_t sizes[NR_MAKERS] = { 1096, 1200, 1150 };
	pthread_t threads[NR_MAKERS];

	for (unsigned round = 0; round < NR_ROUNDS; round++) {
		forget();
		store_relaxed(&go, 0); // own
		for (unsigned i = 0; i < NR_MAKERS; i++)
			pthread_create(&threads[i], NULL, maker,
				       (void *)sizes[i]);
		store_relaxed(&go, 1); // hint
		for (unsigned i = 0; i < 20; i++)
			every_size_fits();
		for (unsigned i = 0; i < NR_MAKERS; i++)
			pthread_join(threads[i], NULL);
		every_size_fits();
		assert_in_range(fitted_class_count(), 1, NR_MAKERS);
		assert_true(size_class_of(1150) >= NR_FIXED_CLASSES);
	}
}

static int fitted_setup(void **state)
{
	forget();
	return heap_setup(state);
}

TEST_MAIN(NULL, NULL)
