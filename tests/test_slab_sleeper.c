/* slab/slab.h: a leaver that sleeps before its or(on) wakes in the slab's next
 * life, and the slab must not get into the bin of its former class
 *
 * slab.c is compiled into this test with its operations on `on` hooked, so
 * that the others' steps happen exactly there.
 */
#include "base/atomic.h"
#include "base/bits.h"

static void after_clear(void);
static void before_set(const void *word, uint64_t bits);

#undef and_seq
#undef or_seq
#define and_seq(p, v)                                       \
	__extension__({                                     \
		uint64_t old_ = atomic_fetch_and((p), (v)); \
		after_clear();                              \
		old_;                                       \
	})
#define or_seq(p, v) (before_set((p), (v)), atomic_fetch_or((p), (v)))
#include "slab/slab.c"

#include "slab_fixture.h"

#define LEAVER 1
#define OTHERS 2
#define NR_OBJECTS 32 /* of 1024 bytes in a slab */

static enum { IDLE, ARMED, GIVEN, DONE } step;
static void *objects[NR_OBJECTS + 1], *later[5000];
static unsigned nr_later;
static struct span *victim;

static struct span *slab_of(const void *object)
{
	struct block block;

	page_map_find(object, &block);
	return &block.region->spans[block.unit];
}

/* The leaver has cleared `on`: one object comes back, its giver lists the
 * slab. */
static void after_clear(void)
{
	if (step != ARMED)
		return;
	step = IDLE;
	bin_give(OTHERS, objects, 1);
	step = GIVEN;
}

/* The leaver is about to set `on`: meanwhile all objects come back, the slab
 * is closed, opened for another class, and taken empty. */
static void before_set(const void *word, uint64_t bits)
{
	unsigned size_class = size_class_of(64);

	if (step != GIVEN || bits != SLAB_ON || word != &victim->word)
		return;
	step = DONE;
	bin_give(OTHERS, objects + 1, NR_OBJECTS - 1);
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	do
		nr_later += bin_take(OTHERS, size_class, later + nr_later, 64);
	while (slab_of(later[nr_later - 1]) == victim || nr_later < 64);
}

TEST(test_slab_goes_to_the_bin_of_its_new_class)
{
	unsigned size_class = size_class_of(1024), n, i, nr_freed = 0;
	void *taken[4];

	assert_int_equal(bin_take(LEAVER, size_class, objects, NR_OBJECTS - 1),
			 NR_OBJECTS - 1);
	victim = slab_of(objects[0]);
	step = ARMED;
	bin_take(LEAVER, size_class, objects + NR_OBJECTS - 1, 2);
	assert_int_equal(step, DONE);
	assert_int_equal(
		slab_word_unpack(load_relaxed(&victim->word)).size_class,
		size_class_of(64));
	for (i = 0; i < nr_later && nr_freed < 2; i++)
		if (slab_of(later[i]) == victim) {
			bin_give(OTHERS, &later[i], 1);
			nr_freed++;
		}
	assert_int_equal(nr_freed, 2);
	n = bin_take(LEAVER, size_class, taken, 4);
	for (i = 0; i < n; i++)
		assert_ptr_not_equal(slab_of(taken[i]), victim);
}

TEST_MAIN(heap_setup, NULL)
