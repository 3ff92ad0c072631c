/* front/reclaimer.h: a helper lives while there is something to do; run here
 * by hand, without a thread */
#include "helper_world.h"

#include "pageheap/request.h"

/* Another thread's request, just before this one's CAS. */
static unsigned asked_at; /* the CAS, from 1; 0: none */
static void overtake(void);

#undef cas_relaxed
#define cas_relaxed(p, expected, v)                           \
	(overtake(), cas_order(p, expected, v, memory_order_relaxed, \
			       memory_order_relaxed))
#include "front/reclaimer.c"

#define DELAY 700

static void overtake(void)
{
	if (asked_at && !--asked_at)
		request_purge();
}

static uint32_t word_now(void)
{
	struct helper_life *life = helper_current();

	return life ? load_relaxed(&life->word) : HELPER_NONE; // own
}

FIXTURE(fresh)
{
	heap_purge(0);
	fake_reset_quiet();
	helper_world_reset();
	config.purge_delay = DELAY;
	config.reclaimer = 1;
	asked_at = 0;
	helper_prepare();
}

FIXTURE(done)
{
	helper_forget();
	all_is_free();
}

TEST(test_off_by_option, fresh, done)
{
	config.reclaimer = 0;
	assert_int_equal(reclaimer_start(), -ENOTSUP);
	assert_int_equal(reclaimer_ensure(), -ENOTSUP);
	assert_int_equal(started.nr, 0);
	assert_int_equal(word_now(), HELPER_NONE);
}

TEST(test_ensure_starts_once, fresh, done)
{
	assert_int_equal(reclaimer_ensure(), 0);
	assert_int_equal(reclaimer_ensure(), 0);
	assert_int_equal(started.nr, 1);
	assert_int_equal(word_now(), HELPER_AWAKE);
	thread_ends(&helper_current()->thread);
	assert_int_equal(reclaimer_ensure(), 0);
	assert_int_equal(started.nr, 2);
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 3);
}

TEST(test_failure_leaves_it_startable, fresh, done)
{
	start_result = -EAGAIN;
	assert_int_equal(reclaimer_start(), -EAGAIN);
	assert_int_equal(word_now(), HELPER_NONE);
	start_result = 0;
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(word_now(), HELPER_AWAKE);
}

/* Slow paths give birth. */
TEST(test_slow_paths_give_birth, fresh, done)
{
	config.purge_budget = 1 << 30;
	fake_now_ms += 10 * DELAY;
	dirty_freed(8 * MIB);
	assert_int_equal(started.nr, 1);
	dirty_freed(8 * MIB);
	assert_int_equal(started.nr, 1);
	assert_int_equal(word_now(), HELPER_AWAKE);
}

TEST(test_ends_when_quiet, fresh, done)
{
	heap_purge(0);
	reclaimer_start();
	run_to_its_end();
	assert_true(has_ended);
	assert_int_equal(nr_sleeps, QUIET_TICKS);
	for (unsigned i = 0; i < QUIET_TICKS; i++) {
		assert_int_equal(sleeps[i].value, HELPER_AWAKE);
		assert_int_equal(sleeps[i].timeout_ms, DELAY);
	}
	assert_int_equal(word_now(), HELPER_NONE);
}

/* A pass after its tick: the next one has born, and this one leaves. */
static void pass_after_a_tick(unsigned nr)
{
	if (nr == 2)
		dirty_freed(8 * MIB);
}

TEST(test_busy_program_replaces_it, fresh, done)
{
	config.purge_budget = 1 << 30;
	reclaimer_start();
	event = pass_after_a_tick;
	run_to_its_end();
	assert_int_equal(nr_sleeps, 2);
	assert_int_equal(started.nr, 2);
	assert_ptr_equal(helper_current(), started.arg);
	assert_int_equal(word_now(), HELPER_AWAKE);
	event = NULL;
	run_to_its_end();
	assert_true(fake_purged_size() >= 8 * MIB);
	assert_int_equal(page_heap_dirty_size(), 0);
}

/* Where the successor cannot be born this one looks once more. */
static void pass_without_birth(unsigned nr)
{
	if (nr != QUIET_TICKS)
		return;
	start_result = -EAGAIN;
	dirty_freed(8 * MIB);
	assert_int_equal(word_now(), HELPER_ASKED);
	start_result = 0;
}

TEST(test_looks_again_without_a_successor, fresh, done)
{
	config.purge_budget = 1 << 30;
	reclaimer_start();
	event = pass_without_birth;
	run_to_its_end();
	assert_true(nr_sleeps > 2 * QUIET_TICKS);
	assert_true(fake_purged_size() >= 8 * MIB);
	assert_int_equal(page_heap_dirty_size(), 0);
}

TEST(test_gives_back_what_lies_unused, fresh, done)
{
	config.purge_budget = 1 << 30;
	dirty_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	reclaimer_ensure();
	run_to_its_end();
	assert_true(fake_purged_size() >= 8 * MIB);
	assert_int_equal(page_heap_dirty_size(), 0);
	/* It was no quiet tick. */
	assert_true(nr_sleeps > QUIET_TICKS);
	assert_int_equal(sleeps[QUIET_TICKS].value, HELPER_AWAKE);
}

TEST(test_no_delay_is_no_busy_loop, fresh, done)
{
	config.purge_delay = 0;
	reclaimer_start();
	run_until_sleep(2);
	assert_int_equal(sleeps[0].timeout_ms, TICK_MS_LEAST);
}

static void always_ask(unsigned nr)
{
	if (nr % 2)
		request_purge();
}

/* Never for ever, whatever it finds. */
TEST(test_life_is_bounded, fresh, done)
{
	reclaimer_start();
	event = always_ask;
	run_to_its_end();
	assert_true(has_ended);
}

/* What the allocation missed does not raise the budget. */
static void block_freed(size_t size)
{
	char *block = block_alloc(size);

	assert_non_null(block);
	store_relaxed(&budget.bonus_size, 0); // own
	heap_free(block);
}

/* One wake-up for all gives until it has purged. */
TEST(test_gives_ask_it_to_purge, fresh, done)
{
	config.purge_budget = 1 * MIB;
	reclaimer_start();
	block_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	assert_int_equal(word_now(), HELPER_ASKED);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	block_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
}

/* Within the budget nobody is asked. */
TEST(test_budget_asks_nobody, fresh, done)
{
	config.purge_budget = 16 * MIB;
	reclaimer_start();
	block_freed(8 * MIB);
	assert_int_equal(word_now(), HELPER_AWAKE);
	assert_int_equal(fake_calls(FAKE_WAKE), 0);
}

TEST(test_gives_purge_without_it, fresh, done)
{
	config.purge_budget = 1 * MIB;
	block_freed(8 * MIB);
	assert_true(fake_purged_size() >= 7 * MIB);
	assert_int_equal(fake_calls(FAKE_WAKE), 0);
}

/* One that is stopped bounds no memory; gives do. */
TEST(test_gives_purge_beyond_the_bound, fresh, done)
{
	config.purge_budget = 1 * MIB;
	reclaimer_start();
	block_freed(15 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	for (unsigned i = 1; i < 20; i++) {
		block_freed(i * 10 * MIB);
		assert_true(page_heap_dirty_size() <= 18 * MIB);
	}
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	/* Found late, it is asked no more. */
	request_look();
	block_freed(60 * MIB);
	assert_true(page_heap_dirty_size() <= 1 * MIB);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
}

/* What was missed is kept fourfold from then on. */
TEST(test_missed_memory_raises_the_budget, fresh, done)
{
	config.purge_budget = 0;
	fake_now_ms += DELAY + 1000;
	block_freed(24 * MIB);
	assert_int_equal(page_heap_dirty_size(), 0);
	heap_free(block_alloc(5 * MIB));
	assert_true(load_relaxed(&budget.bonus_size) >= 20 * MIB); // own
	assert_true(load_relaxed(&budget.bonus_size) < 25 * MIB);  // own
	heap_free(block_alloc(24 * MIB));
	assert_true(page_heap_dirty_size() >= 24 * MIB);
}

#define WOKEN_AFTER 100

static void ask_early(unsigned nr)
{
	if (nr != 1)
		return;
	fake_now_ms -= DELAY - WOKEN_AFTER;
	block_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
}

/* A request is served in the middle of a tick, after a while, and the tick
 * comes when it is due. */
TEST(test_serves_requests, fresh, done)
{
	config.purge_budget = 4 * MIB;
	reclaimer_start();
	event = ask_early;
	run_until_sleep(3);
	assert_int_equal(sleeps[1].value, HELPER_ASKED);
	assert_int_equal(sleeps[1].timeout_ms, ASKED_MS);
	assert_true(fake_purged_size() >= 4 * MIB);
	assert_true(page_heap_dirty_size() <= 4 * MIB);
	assert_true(page_heap_dirty_size() > 0);
	assert_int_equal(sleeps[2].value, HELPER_AWAKE);
	assert_int_equal(sleeps[2].timeout_ms, DELAY - WOKEN_AFTER - ASKED_MS);
}

/* Asked just before it falls asleep it serves first. */
TEST(test_no_sleep_hides_a_request, fresh, done)
{
	reclaimer_start();
	asked_at = 1;
	run_until_sleep(1);
	assert_int_equal(asked_at, 0);
	assert_int_equal(sleeps[0].value, HELPER_ASKED);
	assert_int_equal(sleeps[0].timeout_ms, ASKED_MS);
}

/* Told twice to look once more and found late, it is asked no more; it comes
 * back by itself. */
static void forget_it(unsigned nr)
{
	if (nr != 1)
		return;
	request_look();
	assert_true(request_purge());
	request_look();
	assert_false(request_purge());
}

TEST(test_comes_back, fresh, done)
{
	reclaimer_start();
	event = forget_it;
	run_until_sleep(2);
	assert_int_equal(word_now(), HELPER_AWAKE);
}

/* Told to leave, it serves nobody. */
static void leave_it(unsigned nr)
{
	if (nr == 1)
		life_leave(helper_current());
	assert_false(request_purge());
}

TEST(test_leaves, fresh, done)
{
	reclaimer_start();
	event = leave_it;
	run_to_its_end();
	assert_int_equal(nr_sleeps, 1);
}

TEST_MAIN(heap_setup_pinned, NULL)
