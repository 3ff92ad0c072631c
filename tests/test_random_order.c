/* With hardened=1: which slab comes next, where in it a take begins, and the
 * order of a batch are drawn */
#include "heap_fixture.h"

#include "cpucache/shuffle.h"
#include "slab/bin_set.h"
#include "system/draw.h"

#define CLASS SIZE_CLASS_1024
#define NR_SLABS 8
#define NR_IN_SLAB 32
#define NR_TAKES 16

static void *objects[NR_SLABS * NR_IN_SLAB];

static int setup(void **state)
{
	int result = heap_setup_pinned(state);

	config.hardened = 1;
	return result;
}

static size_t slab_of(const void *object)
{
	return (uintptr_t)object >> UNIT_SHIFT;
}

static void take(unsigned size_class, void **out, unsigned n)
{
	unsigned got;

	for (; n; n -= got, out += got) {
		got = bin_take(0, size_class, out, n);
		assert_int_not_equal(got, 0);
	}
}

/* Half of each of so many slabs is free. */
static void halves_make(void)
{
	take(CLASS, objects, NR_SLABS * NR_IN_SLAB);
	for (unsigned i = 0; i < NR_SLABS * NR_IN_SLAB; i += 2)
		bin_give(0, &objects[i], 1);
}

static void slab_give_rest(size_t slab)
{
	for (unsigned i = 1; i < NR_SLABS * NR_IN_SLAB; i += 2)
		if (objects[i] && slab_of(objects[i]) == slab) {
			bin_give(0, &objects[i], 1);
			objects[i] = NULL;
		}
}

static bool slot_is_empty(struct bin *bin)
{
	struct span *slab = load_relaxed(&bin->slot); // own

	return slab && slab_is_empty(slab);
}

/* Whichever is the slot's meanwhile, where an empty one does not count. */
TEST(empty_slabs_stay_counted, setup, NULL)
{
	struct bin *bin;
	unsigned i, nr;
	void *taken;

	halves_make();
	bin = &bin_set_find(0)->bins[CLASS];
	slab_give_rest(slab_of(objects[1]));
	for (i = 3; !objects[i]; i += 2)
		;
	slab_give_rest(slab_of(objects[i]));
	for (i = 0; i < 50 * NR_TAKES; i++) {
		take(CLASS, &taken, 1);
		bin_give(0, &taken, 1);
		nr = load_relaxed(&bin->nr_empty); // own
		assert_int_equal(nr + slot_is_empty(bin), 2);
	}
	for (i = 1; i < NR_SLABS * NR_IN_SLAB; i += 2)
		if (objects[i])
			bin_give(0, &objects[i], 1);
}

TEST(any_slab_is_the_next, setup, NULL)
{
	void *taken[NR_TAKES];
	unsigned i, nr_others = 0;

	halves_make();
	for (i = 0; i < NR_TAKES; i++)
		take(CLASS, &taken[i], 1);
	for (i = 1; i < NR_TAKES; i++)
		nr_others += slab_of(taken[i]) != slab_of(taken[i - 1]);
	assert_in_range(nr_others, NR_TAKES / 4, NR_TAKES - 1);
	for (i = 0; i < NR_TAKES; i++)
		bin_give(0, &taken[i], 1);
	for (i = 1; i < NR_SLABS * NR_IN_SLAB; i += 2)
		bin_give(0, &objects[i], 1);
}

/* Of 2,048 objects, whose bits are 32 words. */
TEST(any_word_is_the_first, setup, NULL)
{
	unsigned i, j, nr_far = 0;
	void *taken[NR_TAKES];

	for (i = 0; i < NR_TAKES; i++)
		take(SIZE_CLASS_16, &taken[i], 1);
	for (i = 1; i < NR_TAKES; i++)
		nr_far += labs((char *)taken[i] - (char *)taken[i - 1]) >=
			  16 * WORD_BITS;
	assert_in_range(nr_far, NR_TAKES / 2, NR_TAKES - 1);
	for (i = 0; i < NR_TAKES; i++) {
		for (j = 0; j < i; j++)
			assert_ptr_not_equal(taken[i], taken[j]);
		bin_give(0, &taken[i], 1);
	}
}

TEST(a_batch_is_shuffled, setup, NULL)
{
	void *seen[BATCH_MOST], *batch[BATCH_MOST];
	unsigned i, j, nr_still = 0, nr_found = 0;

	for (i = 0; i < BATCH_MOST; i++)
		seen[i] = batch[i] = &objects[i];
	shuffle(batch, BATCH_MOST);
	for (i = 0; i < BATCH_MOST; i++) {
		nr_still += batch[i] == seen[i];
		for (j = 0; j < BATCH_MOST; j++)
			nr_found += batch[j] == seen[i];
	}
	assert_int_equal(nr_found, BATCH_MOST);
	assert_in_range(nr_still, 0, BATCH_MOST / 8);
}

TEST(what_is_drawn_is_below, NULL, NULL)
{
	struct draw one = draw_begin(), other = draw_begin();
	unsigned i, seen[8] = { 0 }, nr_same = 0;
	uint32_t n;

	for (i = 0; i < 8000; i++) {
		n = draw_below(&one, 8);
		assert_in_range(n, 0, 7);
		seen[n]++;
		nr_same += n == draw_below(&other, 8);
	}
	for (i = 0; i < 8; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_in_range(nr_same, 500, 1500);
	assert_int_equal(draw_below(&one, 1), 0);
}

TEST_MAIN(heap_setup_pinned, NULL)
