/* front/tick.h: one passer in a tick gives birth to a helper, or does one
 * bounded piece */
#include "heap_fixture.h"

#include <errno.h>

#include "front/reclaimer.h"
#include "pageheap/request.h"
#include "slab/collect.h"

/* What the ticks asked of the layers below. */
static struct asked {
	unsigned nr_ticks, nr_next, nr_all, nr_looks;
	size_t tick_size;
	unsigned next_most, all_most;
} asked;

static size_t counted_tick(size_t most_size)
{
	asked.nr_ticks++;
	asked.tick_size = most_size;
	return page_heap_tick(most_size);
}

static size_t counted_next(unsigned most, unsigned age)
{
	asked.nr_next++;
	asked.next_most = most;
	return bin_collect_next(most, age);
}

static size_t counted_all(unsigned most, unsigned age)
{
	asked.nr_all++;
	asked.all_most = most;
	return bin_collect_all(most, age);
}

/* The helper's part. */
static bool births_succeed, lives;
static unsigned nr_births;

static int counted_birth(void)
{
	if (!births_succeed)
		return -EAGAIN;
	nr_births++;
	return 0;
}

static int counted_ensure(void)
{
	return lives ? 0 : counted_birth();
}

static void counted_look(void)
{
	asked.nr_looks++;
}

/* Another thread's pass, just before this one's election ends. */
static bool overtaken;
static uint64_t now_overtaken(void);

#define system_now_ms now_overtaken
#define page_heap_tick counted_tick
#define bin_collect_next counted_next
#define bin_collect_all counted_all
#include "front/reclaimer.c"
#define reclaimer_start counted_birth
#define reclaimer_ensure counted_ensure
#define request_look counted_look
#include "front/tick.c"
#undef system_now_ms
#undef page_heap_tick
#undef bin_collect_next
#undef bin_collect_all
#undef reclaimer_start
#undef reclaimer_ensure
#undef request_look

#define DELAY 500

static uint64_t now_overtaken(void)
{
	if (overtaken) {
		overtaken = false;
		tick_pass();
	}
	return system_now_ms();
}

FIXTURE(fresh)
{
	heap_purge(0);
	fake_reset_quiet();
	config.purge_delay = DELAY;
	config.purge_budget = 1 << 30;
	births_succeed = lives = false;
	nr_births = 0;
	store_relaxed(&next_tick, fake_now_ms + DELAY); // own
	memset(&asked, 0, sizeof(asked));
}

FIXTURE(done)
{
	all_is_free();
}

static void pass_after(uint64_t ms)
{
	fake_now_ms += ms;
	tick_pass();
}

TEST(test_one_pass_in_a_tick, fresh, done)
{
	tick_pass();
	assert_int_equal(asked.nr_ticks, 0);
	for (unsigned tick = 1; tick < 5; tick++) {
		pass_after(DELAY - 1);
		assert_int_equal(asked.nr_ticks, tick - 1);
		pass_after(1);
		tick_pass();
		assert_int_equal(asked.nr_ticks, tick);
		assert_int_equal(asked.nr_next, tick);
	}
	assert_int_equal(asked.nr_all, 0);
}

/* After a long sleep one tick is due, not one for each that was missed. */
TEST(test_ticks_do_not_pile_up, fresh, done)
{
	pass_after(1000 * DELAY);
	tick_pass();
	pass_after(DELAY - 1);
	assert_int_equal(asked.nr_ticks, 1);
}

TEST(test_pieces_are_bounded, fresh, done)
{
	pass_after(DELAY);
	assert_int_equal(asked.tick_size, TICK_PURGE_SIZE);
	assert_int_equal(asked.next_most, TICK_COLLECT);
}

/* Who is elected gives birth where that is possible, and then does no work. */
TEST(test_helper_has_grace, fresh, done)
{
	births_succeed = true;
	pass_after(DELAY);
	assert_int_equal(nr_births, 1);
	assert_int_equal(asked.nr_ticks, 0);
	pass_after((1 + RECLAIMER_GRACE) * DELAY - 1);
	assert_int_equal(nr_births, 1);
	/* It is late: the next one. */
	pass_after(1);
	assert_int_equal(nr_births, 2);
	assert_int_equal(asked.nr_ticks, 0);
}

TEST(test_successor_after_a_tick, fresh, done)
{
	births_succeed = true;
	pass_after(DELAY);
	reclaimer_tick();
	tick_pass();
	assert_int_equal(nr_births, 2);
	tick_pass();
	assert_int_equal(nr_births, 2);
}

TEST(test_no_delay_is_no_rain_of_births, fresh, done)
{
	births_succeed = true;
	config.purge_delay = 0;
	fake_now_ms += DELAY;
	for (unsigned i = 0; i < 10; i++)
		tick_pass();
	assert_int_equal(nr_births, 1);
}

/* Without a birth the passer works, and who lives shall look once more. */
TEST(test_passers_work_without_a_birth, fresh, done)
{
	pass_after(DELAY);
	assert_int_equal(nr_births, 0);
	assert_int_equal(asked.nr_ticks, 1);
	assert_int_equal(asked.nr_looks, 1);
}

TEST(test_ensure, fresh, done)
{
	lives = true;
	tick_ensure_helper();
	pass_after((1 + RECLAIMER_GRACE) * DELAY - 1);
	assert_int_equal(asked.nr_ticks, 0);
	pass_after(1);
	assert_int_equal(asked.nr_ticks, 1);
}

TEST(test_whole_tick_is_unbounded, fresh, done)
{
	reclaimer_tick();
	assert_int_equal(asked.tick_size, SIZE_MAX);
	assert_true(asked.all_most > 1000000);
	assert_int_equal(asked.nr_next, 0);
	/* The next one is due. */
	tick_pass();
	assert_int_equal(asked.nr_next, 1);
}

static void *memory_freed(size_t size)
{
	char *block = block_alloc(size);

	assert_non_null(block);
	memset(block, 1, size);
	heap_free(block);
	return block;
}

/* What lay unused for a whole interval goes back, a piece at a time. */
TEST(test_delay_is_honoured, fresh, done)
{
	size_t size = 3 * TICK_PURGE_SIZE, dirty;

	memory_freed(size);
	dirty = page_heap_dirty_size();
	assert_true(dirty >= size);
	pass_after(DELAY - 1);
	assert_int_equal(fake_purged_size(), 0);
	pass_after(1); /* begins the interval */
	assert_int_equal(fake_purged_size(), 0);
	for (unsigned i = 1; i <= 3; i++) {
		pass_after(DELAY - 1);
		assert_int_equal(fake_purged_size(), (i - 1) * TICK_PURGE_SIZE);
		pass_after(1);
		assert_int_equal(fake_purged_size(), i * TICK_PURGE_SIZE);
	}
}

/* A fourth of it where that is more. */
TEST(test_pieces_grow_with_what_is_free, fresh, done)
{
	size_t dirty;

	memory_freed(40 * TICK_PURGE_SIZE);
	pass_after(DELAY); /* begins the interval */
	dirty = page_heap_dirty_size();
	pass_after(DELAY);
	assert_in_range(fake_purged_size(), dirty / 4 - UNIT_SIZE, dirty / 4);
}

TEST(test_whole_tick_purges_all, fresh, done)
{
	size_t size = 3 * TICK_PURGE_SIZE;

	memory_freed(size);
	reclaimer_tick();
	assert_true(reclaimer_tick() >= size);
	assert_true(fake_purged_size() >= size);
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(reclaimer_tick(), 0);
}

/* Slow paths pass by themselves. */
TEST(test_slow_paths_pass, fresh, done)
{
	unsigned nr = asked.nr_next;

	fake_now_ms += DELAY;
	memory_freed(MIB);
	assert_int_equal(asked.nr_next, nr + 1);
	fake_now_ms += DELAY;
	heap_free(NULL);
	assert_int_equal(asked.nr_next, nr + 1);
	memory_freed(MIB);
	assert_int_equal(asked.nr_next, nr + 2);
}

TEST(test_one_of_two_is_elected, fresh, done)
{
	for (unsigned tick = 1; tick < 5; tick++) {
		fake_now_ms += DELAY;
		overtaken = true;
		tick_pass();
		assert_false(overtaken);
		assert_int_equal(asked.nr_ticks, tick);
	}
}

TEST_MAIN(heap_setup_pinned, NULL)
