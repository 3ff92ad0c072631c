/* slab/slab_purge.h: pages of free objects go back, of every class, and no byte
 * of a live object; taking makes them dirty again */
#include <string.h>

#include "../stress/harness/random.h"
#include "slab_fixture.h"

#define OWNER 3
#define NR_OBJECTS_MOST 2048 /* of 16 bytes in a unit */
#define LIVE 0xa5

/* What happens while the system purges. */
static void (*while_purging)(void);

static int purge_and_more(void *addr, size_t size)
{
	if (while_purging)
		while_purging();
	return system_purge(addr, size);
}

#define system_purge purge_and_more
#include "slab/slab_purge.c"
#undef system_purge

static void *objects[NR_OBJECTS_MOST];
static bool live[NR_OBJECTS_MOST];
static unsigned nr;

static uint64_t random_state;

FIXTURE(fresh)
{
	while_purging = NULL;
	store_relaxed(&nr_to_pass, 0); // own
	fake_reset();
}

/* All objects of a new slab, written to. */
static struct span *slab_full(unsigned size_class)
{
	struct span *slab = slab_open(size_class, OWNER);

	assert_non_null(slab);
	nr = slab_take(slab, objects, NR_OBJECTS_MOST);
	assert_int_equal(nr, size_classes[size_class].nr_objects);
	for (unsigned i = 0; i < nr; i++) {
		memset(objects[i], LIVE, size_classes[size_class].size);
		live[i] = true;
	}
	return slab;
}

static void give_one(struct span *slab, unsigned i)
{
	uint64_t word;

	give(slab, &objects[i], 1, &word);
	live[i] = false;
}

static void close_full(struct span *slab)
{
	for (unsigned i = 0; i < nr; i++)
		if (live[i])
			give_one(slab, i);
	assert_true(slab_is_empty(slab));
	slab_close(slab);
	page_heap_check();
}

static bool bytes_are(const char *at, size_t size, unsigned char byte)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)at[i] != byte)
			return false;
	return true;
}

static void live_are_whole(unsigned size_class)
{
	for (unsigned i = 0; i < nr; i++)
		if (live[i] &&
		    !bytes_are(objects[i], size_classes[size_class].size, LIVE))
			fail_msg("object %u of class %u", i, size_class);
}

/* Whether a live object has a byte of the page: told from the addresses of all
 * of them, one by one. */
static bool page_is_live(const char *page, unsigned size_class)
{
	for (unsigned i = 0; i < nr; i++)
		if (live[i] && (char *)objects[i] < page + system_page_size() &&
		    page < (char *)objects[i] + size_classes[size_class].size)
			return true;
	return false;
}

/* Each page without a live object reads as zero; those are this many. */
static unsigned free_pages_are_zero(unsigned size_class)
{
	size_t size = size_classes[size_class].nr_units * UNIT_SIZE, at;
	size_t step = system_page_size();
	unsigned n = 0;

	for (at = 0; at < size; at += step)
		if (!page_is_live((char *)objects[0] + at, size_class)) {
			assert_true(bytes_are((char *)objects[0] + at, step,
					      0));
			n++;
		}
	return n;
}

/* One in `odds` stays; then those that stayed go, too. */
static void purge_at_random(unsigned size_class, unsigned odds)
{
	struct span *slab = slab_full(size_class);
	unsigned i, nr_free;
	size_t done;

	for (i = 1; i < nr; i++)
		if (random_below(&random_state, odds))
			give_one(slab, i);
	fake_reset();
	done = slab_purge(slab);
	assert_int_equal(done, fake_purged_size());
	live_are_whole(size_class);
	nr_free = free_pages_are_zero(size_class);
	assert_true(fake_purged_size() <= nr_free * system_page_size());
	assert_int_equal(slab_purge(slab), 0);
	slab_check(slab);
	for (i = 1; i < nr; i++)
		if (live[i] && random_below(&random_state, 2))
			give_one(slab, i);
	slab_purge(slab);
	live_are_whole(size_class);
	free_pages_are_zero(size_class);
	close_full(slab);
}

TEST(test_free_pages_of_every_class, fresh)
{
	FOR_EACH_CLASS(size_class)
		for (unsigned odds = 2; odds <= 512; odds *= 4)
			purge_at_random(size_class, odds);
}

/* Objects that come back one by one, `step` apart, with a purge after each:
 * a page that several share goes back with the last of them. */
static void purge_one_by_one(unsigned size_class, unsigned step)
{
	struct span *slab = slab_full(size_class);

	for (unsigned first = 0; first < step; first++)
		for (unsigned i = first; i + 1 < nr; i += step) {
			give_one(slab, i);
			slab_purge(slab);
		}
	live_are_whole(size_class);
	free_pages_are_zero(size_class);
	assert_int_equal(slab_purge(slab), 0);
	close_full(slab);
}

TEST(test_shared_pages, fresh)
{
	FOR_EACH_CLASS(size_class)
		for (unsigned step = 1; step <= 3; step++)
			purge_one_by_one(size_class, step);
}

/* What was taken is dirty again, and that alone. */
TEST(test_taken_pages_are_dirty, fresh)
{
	void *taken[NR_OBJECTS_MOST];
	unsigned size_class, n, size;
	struct span *slab;
	uint64_t word;

	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++) {
		size = size_classes[size_class].size;
		slab = slab_full(size_class);
		while (nr > 1 && slab_nr_free(slab) < nr - 1)
			give_one(slab, slab_nr_free(slab));
		slab_purge(slab);
		assert_int_equal(slab_purge(slab), 0);
		fake_reset();
		n = slab_take(slab, taken, (nr + 2) / 3);
		assert_int_equal(slab_purge(slab), 0);
		if (nr > 1)
			memset(taken[n - 1], 1, size);
		give(slab, taken, n, &word);
		slab_purge(slab);
		free_pages_are_zero(size_class);
		assert_true(fake_purged_size() < n * size + 2 * 4096u);
		live_are_whole(size_class);
		close_full(slab);
	}
}

/* Clean pages between dirty ones go along, those at the ends do not. */
TEST(test_rows_are_one_call, fresh)
{
	unsigned size_class = size_class_of(1024), i;
	struct span *slab = slab_full(size_class);
	void *first;

	for (i = 12; i < 16; i++)
		give_one(slab, i);
	assert_int_equal(slab_purge(slab), 4096);
	for (i = 4; i < 24; i++)
		if (live[i])
			give_one(slab, i);
	assert_int_equal(slab_purge(slab), 5 * 4096);
	assert_int_equal(fake_nr_purged(), 2);
	assert_ptr_equal(fake_purged(1).addr, objects[4]);
	first = objects[4];
	assert_int_equal(slab_take(slab, &first, 1), 1);
	assert_ptr_equal(first, objects[4]);
	live[4] = true;
	give_one(slab, 4);
	assert_int_equal(slab_purge(slab), 4096);
	close_full(slab);
}

static struct span *purged_slab;
static unsigned next_given;

static void give_meanwhile(void)
{
	if (next_given < nr)
		give_one(purged_slab, next_given++);
}

/* Objects come back between the look and the call: nothing is lost of those
 * that live, and no giver's bit. */
TEST(test_gives_meanwhile, fresh)
{
	FOR_EACH_CLASS(size_class) {
		purged_slab = slab_full(size_class);
		for (unsigned i = 0; i < nr / 2; i++)
			give_one(purged_slab, i);
		next_given = nr / 2 + 1;
		while_purging = give_meanwhile;
		for (unsigned i = 0; i < 8; i++) {
			slab_purge(purged_slab);
			live_are_whole(size_class);
		}
		while_purging = NULL;
		slab_purge(purged_slab);
		free_pages_are_zero(size_class);
		slab_check(purged_slab);
		close_full(purged_slab);
	}
}

/* Nothing changes, and the next calls do nothing. */
TEST(test_refusals, fresh)
{
	struct span *slab = slab_full(size_class_of(512));

	for (unsigned i = 0; i < nr / 2; i++)
		give_one(slab, i);
	fake_fail_from(FAKE_PURGE, 1);
	assert_int_equal(slab_purge(slab), 0);
	slab_check(slab);
	fake_reset();
	for (unsigned i = 0; i < PURGE_REFUSED_PASSES; i++)
		assert_int_equal(slab_purge(slab), 0);
	assert_int_equal(fake_calls(FAKE_PURGE), 0);
	assert_int_equal(slab_purge(slab), 16384);
	free_pages_are_zero(size_class_of(512));
	close_full(slab);
}

/* A slab that is smaller than a page keeps it; one that begins in the middle
 * of a page gives those that are its own. */
TEST(test_large_pages, fresh)
{
	static const unsigned pages[] = { 16384, 65536 };
	struct span *slab, *before;
	size_t done;

	for (unsigned i = 0; i < 2; i++) {
		fake.page_size = pages[i];
		before = slab_full(SIZE_CLASS_64);
		give_one(before, 100);
		assert_int_equal(slab_purge(before), 0);
		close_full(before);
		FOR_EACH_CLASS(size_class) {
			before = slab_open(SIZE_CLASS_64, OWNER);
			slab = slab_full(size_class);
			while (nr > 1 && slab_nr_free(slab) < nr - 1)
				give_one(slab, slab_nr_free(slab));
			done = slab_purge(slab);
			assert_int_equal(done, fake_purged_size());
			live_are_whole(size_class);
			assert_int_equal(slab_purge(slab), 0);
			close_full(slab);
			slab_close(before);
			fake_reset();
			fake.page_size = pages[i];
		}
	}
	fake_reset();
}

TEST_MAIN(heap_setup, NULL)
