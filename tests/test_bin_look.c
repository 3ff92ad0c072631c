/* slab/bin.h: pages inside slabs go back while the heap grows by other classes,
 * and while more and more is free in them; a piece at each call */
#include <string.h>

#include "../stress/harness/random.h"
#include "slab_fixture.h"

#include "slab/bin_set.h"
#include "slab/slab_purge.h"

#define MIB ((size_t)1 << 20)
#define SIZE 1024
#define CLASS size_class_of(SIZE) /* 32 objects in a slab of one unit */
#define OTHER_CLASS size_class_of(640)
#define NR_IN_SLAB 32
#define NR (32 * MIB / SIZE)
#define PIECE_MOST (16 * UNIT_SIZE)

static void *objects[NR];
#define NR_OTHERS (64 * MIB / 640)
static void *others[NR_OTHERS];

static uint64_t random_state;

static size_t purged(void)
{
	struct bin_stats stats;

	bin_stats(&stats);
	return stats.purged_size;
}

/* One by one, as each may be a look. */
static void take_n(unsigned size_class, void **out, size_t n, size_t size)
{
	size_t i, before;

	for (i = 0; i < n; i++) {
		before = purged();
		assert_int_equal(bin_take(1, size_class, out + i, 1), 1);
		assert_true(purged() - before <= PIECE_MOST);
		memset(out[i], 0x5a, size);
	}
}

static void give_n(void **from, size_t n)
{
	size_t before;

	for (; n; n--, from++) {
		before = purged();
		bin_give(1, from, 1);
		assert_true(purged() - before <= PIECE_MOST);
	}
}

static void are_whole(void **at, size_t n, size_t step)
{
	unsigned char *bytes;
	size_t i, j;

	for (i = 0; i < n; i += step)
		for (bytes = at[i], j = 0; j < SIZE; j++)
			assert_int_equal(bytes[j], 0x5a);
}

static int teardown(void **state);

/* A phase of one size of which an object a slab stays, then one of another. */
TEST(test_growth_takes_from_what_was_left, NULL, teardown)
{
	size_t before, i, most;

	take_n(CLASS, objects, NR, SIZE);
	before = purged();
	for (i = 0; i < NR; i++)
		if (i % NR_IN_SLAB)
			bin_give(1, objects + i, 1);
	take_n(OTHER_CLASS, others, NR_OTHERS, 640);
	most = NR * SIZE / 8 * 7;
	assert_in_range(purged() - before, most / 10 * 9, most);
	are_whole(objects, NR, NR_IN_SLAB);
	give_each(1, objects, NR, NR_IN_SLAB, 1);
	give_n(others, NR_OTHERS);
}

/* Frees one of the slabs' eight pages each, and takes two others for each of
 * its objects; returns how many. */
static size_t page_drifts(size_t page, void **out)
{
	size_t i, nr = 0, in_page = NR_IN_SLAB / 8;

	for (i = page * in_page; i < NR; i++) {
		if (i / in_page % 8 != page)
			continue;
		give_n(objects + i, 1);
		take_n(OTHER_CLASS, out + nr, 2, 640);
		nr += 2;
	}
	return nr;
}

/* Sizes drift: the heap grows by another class, always by more than became free
 * of this one, so that it never shrinks. */
TEST(test_growth_looks_again, NULL, teardown)
{
	size_t before, nr = 0, page;

	take_n(CLASS, objects, NR, SIZE);
	before = purged();
	for (page = 1; page < 8; page++)
		nr += page_drifts(page, others + nr);
	assert_in_range(purged() - before, NR * SIZE / 2, NR * SIZE / 8 * 7);
	are_whole(objects, 4, 1);
	for (page = 0; page < NR; page += NR_IN_SLAB)
		give_n(objects + page, NR_IN_SLAB / 8);
	give_n(others, nr);
}

#define NR_FIRST 8 /* objects, two pages */

/* All slabs of the class were listed lately, and no look has seen one. */
static void all_are_new(void)
{
	struct bin *bin = &bin_set_find(1)->bins[CLASS];
	unsigned side;

	bin_collect_all(100000, COLLECT_AGE_NEVER);
	side = slab_stack_top(&bin->partial[1][false]) ? 1 : 0;
	assert_null(slab_stack_top(&bin->partial[!side][false]));
	store_relaxed(&bin->fill, side);	// own
	store_relaxed(&bin->fresh, FRESH_SOME); // own
}

/* Pieces of collections pass slabs to the other side that were listed lately,
 * and of which two pages are free; `age`: what the pieces look for. */
static void passed_on(unsigned age, unsigned most)
{
	size_t before, i, size = NR / NR_IN_SLAB * NR_FIRST * SIZE;

	take_n(CLASS, objects, NR, SIZE);
	before = purged();
	for (i = 0; i < NR; i += NR_IN_SLAB)
		give_n(objects + i, NR_FIRST);
	all_are_new();
	for (i = 0; i < 8; i++)
		bin_collect_all(most, age);
	assert_int_equal(purged(), before);
	take_n(OTHER_CLASS, others, NR_OTHERS, 640);
	assert_in_range(purged() - before, size / 10 * 9, size);
	for (i = 0; i < NR; i += NR_IN_SLAB) {
		are_whole(objects + i + NR_FIRST, NR_IN_SLAB - NR_FIRST, 1);
		give_n(objects + i + NR_FIRST, NR_IN_SLAB - NR_FIRST);
	}
	give_n(others, NR_OTHERS);
}

TEST(test_what_a_collection_passed_is_looked_at, NULL, teardown)
{
	passed_on(COLLECT_AGE_NEVER, 8);
}

TEST(test_what_a_tick_passed_is_looked_at, NULL, teardown)
{
	passed_on(COLLECT_AGE_QUIET, 8);
}

TEST(test_what_a_tick_found_young_is_looked_at, NULL, teardown)
{
	passed_on(COLLECT_AGE_QUIET, 100000);
}

/* A heap that stays as large as it is gives nothing back by itself. */
TEST(test_no_growth_no_look, NULL, teardown)
{
	size_t before, i, j;

	take_n(CLASS, objects, NR, SIZE);
	take_n(OTHER_CLASS, others, NR_OTHERS, 640);
	give_each(1, objects, NR, 8, 1);
	before = purged();
	for (i = 0; i < 200000; i++) {
		j = random_below(&random_state, NR_OTHERS);
		bin_give(1, others + j, 1);
		bin_take(1, OTHER_CLASS, others + j, 1);
	}
	assert_int_equal(purged(), before);
	give_each(1, objects + 1, NR, 8, 7);
	give_n(others, NR_OTHERS);
}

/* Nine of ten objects are freed in any order, and no call follows. */
TEST(test_what_shrinks_gives_back, NULL, teardown)
{
	size_t before, i, j;
	void *object;

	take_n(CLASS, objects, NR, SIZE);
	for (i = NR - 1; i > 0; i--) {
		j = random_below(&random_state, i + 1);
		object = objects[i];
		objects[i] = objects[j];
		objects[j] = object;
	}
	before = purged();
	give_n(objects, NR / 10 * 9);
	/* Of the pages two thirds are free then, most of them lately. */
	assert_in_range(purged() - before, NR * SIZE / 4, NR * SIZE);
	are_whole(objects + NR / 10 * 9, NR - NR / 10 * 9, 1);
	bin_give(1, objects + NR / 10 * 9, (unsigned)(NR - NR / 10 * 9));
}

/* Closes what is empty; what comes next is growth; the brake comes off. */
FIXTURE(teardown)
{
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	page_heap_purge(0, SIZE_MAX);
	for (unsigned i = 0; i < 100; i++)
		quiet_age_ends();
	page_heap_check();
}

TEST_MAIN(heap_setup, NULL)
