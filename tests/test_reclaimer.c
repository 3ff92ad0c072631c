/* front/reclaimer.h: one thread a process, awake while there is something to
 * do, woken by one CAS; run here by hand, without a thread */
#include "heap_fixture.h"

#include "pageheap/budget.h"
#include "system/system.h"

static struct start {
	unsigned nr;
	char *stack;
	size_t stack_size;
	void *tls;
	void (*run)(void *);
	void *arg;
} started;
static bool start_fails;

static int start_recorded(void *stack, size_t size, void *tls,
			  void (*run)(void *), void *arg)
{
	started.nr++;
	started.stack = stack;
	started.stack_size = size;
	started.tls = tls;
	started.run = run;
	started.arg = arg;
	return start_fails ? -11 : 0;
}

/* What the reclaimer sleeps on; each sleep may be the scene of an event. */
#define SLEEPS_MOST 64
static struct {
	uint32_t value;
	uint64_t timeout_ms;
} sleeps[SLEEPS_MOST];
static unsigned nr_sleeps, end_at;
static jmp_buf ended;
static void (*event)(unsigned nr);

static void sleep_recorded(_Atomic(uint32_t) *word, uint32_t value,
			   uint64_t timeout_ms)
{
	assert_int_equal(load_relaxed(word), value); // own
	sleeps[nr_sleeps].value = value;
	sleeps[nr_sleeps++].timeout_ms = timeout_ms;
	fake_now_ms += timeout_ms;
	if (nr_sleeps == end_at)
		longjmp(ended, 1);
	if (event)
		event(nr_sleeps);
}

/* Another thread's start, or its request, just before this one's CAS. */
static bool overtaken;
static unsigned asked_at; /* the CAS, from 1; 0: none */
static void overtake(void);

#undef cas_relaxed
#define cas_relaxed(p, expected, v)                           \
	(overtake(), cas_order(p, expected, v, memory_order_relaxed, \
			       memory_order_relaxed))
#define system_thread_start start_recorded
#define system_sleep sleep_recorded
#include "front/reclaimer.c"
#undef system_thread_start
#undef system_sleep

#define DELAY 700

static void overtake(void)
{
	if (asked_at && !--asked_at)
		request_purge();
	if (!overtaken)
		return;
	overtaken = false;
	assert_int_equal(reclaimer_start(), 0);
}

static uint32_t word_now(void)
{
	return load_relaxed(&reclaimer_word); // own
}

static int fresh(void **state)
{
	(void)state;
	heap_purge(0);
	fake_reset();
	fake.quiet = true;
	fake.pid = 1000;
	config.purge_delay = DELAY;
	config.reclaimer = 1;
	store_relaxed(&owner_pid, 0);			 // own
	store_relaxed(&reclaimer_word, RECLAIMER_NONE); // own
	tick_set_reclaimer(false);
	asked_at = 0;
	memset(&started, 0, sizeof(started));
	start_fails = false;
	overtaken = false;
	nr_sleeps = 0;
	end_at = 0;
	event = NULL;
	return 0;
}

static int done(void **state)
{
	(void)state;
	all_is_free();
	return 0;
}

/* First, as its memory is made once in a process. */
static void test_no_memory_leaves_it_startable(void **state)
{
	(void)state;
	fake_fail_at(FAKE_MAP, 1);
	assert_int_equal(reclaimer_start(), -12);
	assert_int_equal(started.nr, 0);
	assert_int_equal(word_now(), RECLAIMER_NONE);
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 1);
}

static void test_starts_once_in_a_process(void **state)
{
	struct reclaimer_memory *m;

	(void)state;
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 1);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
	m = started.arg;
	assert_ptr_equal(started.stack, m->stack);
	assert_int_equal(started.stack_size, sizeof(m->stack));
	assert_ptr_equal(started.tls, &m->self);
	assert_ptr_equal(m->self, &m->self);
	assert_true(started.run == reclaimer_entry);
}

static void test_a_child_starts_its_own(void **state)
{
	void *arg;

	(void)state;
	reclaimer_start();
	store_relaxed(&reclaimer_word, RECLAIMER_ASLEEP); // own
	arg = started.arg;
	fake.pid = 1001;
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 2);
	assert_ptr_equal(started.arg, arg);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 2);
	assert_int_equal(fake_calls(FAKE_MAP), 0);
}

static void test_failure_leaves_it_startable(void **state)
{
	(void)state;
	start_fails = true;
	assert_int_equal(reclaimer_start(), -11);
	assert_int_equal(word_now(), RECLAIMER_NONE);
	assert_int_equal(reclaimer_start(), -11);
	assert_int_equal(started.nr, 2);
	start_fails = false;
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 3);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
}

static void test_off_by_option(void **state)
{
	(void)state;
	config.reclaimer = 0;
	assert_int_equal(reclaimer_start(), 0);
	assert_int_equal(started.nr, 0);
	assert_int_equal(word_now(), RECLAIMER_NONE);
}

static void test_one_of_two_starters_wins(void **state)
{
	(void)state;
	overtaken = true;
	assert_int_equal(reclaimer_start(), 0);
	assert_false(overtaken);
	assert_int_equal(started.nr, 1);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
}

static void test_woken_only_when_asleep(void **state)
{
	(void)state;
	reclaimer_wake();
	assert_int_equal(word_now(), RECLAIMER_NONE);
	store_relaxed(&reclaimer_word, RECLAIMER_AWAKE); // own
	reclaimer_wake();
	reclaimer_wake_slow();
	assert_int_equal(fake_calls(FAKE_WAKE), 0);
	store_relaxed(&reclaimer_word, RECLAIMER_ASLEEP); // own
	reclaimer_wake();
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
	reclaimer_wake();
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	/* Slow paths wake it. */
	store_relaxed(&reclaimer_word, RECLAIMER_ASLEEP); // own
	heap_free(heap_alloc_aligned(MIB, MIB));
	assert_int_equal(fake_calls(FAKE_WAKE), 1 + 1);
}

static void memory_freed(void)
{
	size_t size = 8 * MIB;
	char *block = heap_alloc_aligned(size, MIB);

	assert_non_null(block);
	memset(block, 1, size);
	heap_free(block);
}

/* The reclaimer's loop until its n-th sleep. */
static void run_until_sleep(unsigned n)
{
	reclaimer_start();
	end_at = n;
	if (!setjmp(ended))
		started.run(started.arg);
}

static void test_sleeps_deeply_when_quiet(void **state)
{
	unsigned i;

	(void)state;
	heap_purge(0);
	run_until_sleep(QUIET_TICKS + 2);
	for (i = 0; i < QUIET_TICKS; i++) {
		assert_int_equal(sleeps[i].value, RECLAIMER_AWAKE);
		assert_int_equal(sleeps[i].timeout_ms, DELAY);
	}
	assert_int_equal(sleeps[i].value, RECLAIMER_ASLEEP);
	assert_int_equal(sleeps[i].timeout_ms, DELAY);
	assert_int_equal(sleeps[i + 1].value, RECLAIMER_ASLEEP);
	assert_int_equal(sleeps[i + 1].timeout_ms, 0);
}

/* Somebody passed while it fell asleep. */
static void work_at_last_look(unsigned nr)
{
	if (nr != QUIET_TICKS + 1)
		return;
	store_relaxed(&reclaimer_word, RECLAIMER_AWAKE); // own
	memory_freed();
	tick_whole();
	store_relaxed(&reclaimer_word, RECLAIMER_ASLEEP); // own
}

static void test_looks_once_more_before_it_sleeps(void **state)
{
	(void)state;
	event = work_at_last_look;
	run_until_sleep(QUIET_TICKS + 2);
	assert_true(fake_purged_size() >= 8 * MIB);
	assert_int_equal(sleeps[QUIET_TICKS].value, RECLAIMER_ASLEEP);
	assert_int_equal(sleeps[QUIET_TICKS + 1].value, RECLAIMER_AWAKE);
	assert_int_equal(sleeps[QUIET_TICKS + 1].timeout_ms, DELAY);
}

static void test_gives_back_what_lies_unused(void **state)
{
	(void)state;
	config.purge_budget = 1 << 30;
	memory_freed();
	assert_int_equal(fake_purged_size(), 0);
	run_until_sleep(QUIET_TICKS + 4);
	assert_true(fake_purged_size() >= 8 * MIB);
	assert_int_equal(page_heap_dirty_size(), 0);
	/* It was no quiet tick. */
	assert_int_equal(sleeps[QUIET_TICKS].value, RECLAIMER_AWAKE);
}

static void test_no_delay_is_no_busy_loop(void **state)
{
	(void)state;
	config.purge_delay = 0;
	run_until_sleep(2);
	assert_int_equal(sleeps[0].timeout_ms, 10);
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
static void test_gives_ask_it_to_purge(void **state)
{
	(void)state;
	config.purge_budget = 1 * MIB;
	reclaimer_start();
	block_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	assert_int_equal(word_now(), RECLAIMER_ASKED);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	block_freed(8 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	/* From deep sleep as well. */
	store_relaxed(&reclaimer_word, RECLAIMER_ASLEEP); // own
	assert_true(request_purge());
	assert_int_equal(word_now(), RECLAIMER_ASKED);
	assert_int_equal(fake_calls(FAKE_WAKE), 2);
}

/* Within the budget nobody is asked. */
static void test_budget_asks_nobody(void **state)
{
	(void)state;
	config.purge_budget = 16 * MIB;
	reclaimer_start();
	block_freed(8 * MIB);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
	assert_int_equal(fake_calls(FAKE_WAKE), 0);
}

static void test_gives_purge_without_it(void **state)
{
	(void)state;
	config.purge_budget = 1 * MIB;
	block_freed(8 * MIB);
	assert_true(fake_purged_size() >= 7 * MIB);
	assert_int_equal(fake_calls(FAKE_WAKE), 0);
}

/* One that is stopped bounds no memory; gives do. */
static void test_gives_purge_beyond_the_bound(void **state)
{
	unsigned i;

	(void)state;
	config.purge_budget = 1 * MIB;
	reclaimer_start();
	block_freed(15 * MIB);
	assert_int_equal(fake_purged_size(), 0);
	for (i = 1; i < 20; i++) {
		block_freed(i * 10 * MIB);
		assert_true(page_heap_dirty_size() <= 18 * MIB);
	}
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	/* Found late, it is asked no more, but woken once: it may sleep for
	 * ever, as its waker died. */
	request_nobody();
	assert_int_equal(fake_calls(FAKE_WAKE), 2);
	block_freed(60 * MIB);
	assert_true(page_heap_dirty_size() <= 1 * MIB);
	assert_int_equal(fake_calls(FAKE_WAKE), 2);
}

/* What was missed is kept fourfold from then on. */
static void test_missed_memory_raises_the_budget(void **state)
{
	(void)state;
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
static void test_serves_requests(void **state)
{
	(void)state;
	config.purge_budget = 4 * MIB;
	event = ask_early;
	run_until_sleep(3);
	assert_int_equal(sleeps[1].value, RECLAIMER_ASKED);
	assert_int_equal(sleeps[1].timeout_ms, ASKED_MS);
	assert_true(fake_purged_size() >= 4 * MIB);
	assert_true(page_heap_dirty_size() <= 4 * MIB);
	assert_true(page_heap_dirty_size() > 0);
	assert_int_equal(sleeps[2].value, RECLAIMER_AWAKE);
	assert_int_equal(sleeps[2].timeout_ms, DELAY - WOKEN_AFTER - ASKED_MS);
}

/* Asked just before it falls asleep, or deeply asleep, it serves first. */
static void test_no_sleep_hides_a_request(void **state)
{
	const unsigned start = 1, deep = start + QUIET_TICKS + 1;

	(void)state;
	asked_at = start + 1;
	run_until_sleep(1);
	assert_int_equal(sleeps[0].value, RECLAIMER_ASKED);
	fresh(state);
	asked_at = deep;
	run_until_sleep(QUIET_TICKS + 1);
	assert_int_equal(asked_at, 0);
	assert_int_equal(sleeps[QUIET_TICKS].value, RECLAIMER_ASKED);
	assert_int_equal(sleeps[QUIET_TICKS].timeout_ms, ASKED_MS);
}

/* A passer that found it late said so; it is to be asked again. */
static void forget_it(unsigned nr)
{
	if (nr == 1)
		request_nobody();
}

static void test_comes_back(void **state)
{
	(void)state;
	event = forget_it;
	run_until_sleep(2);
	assert_int_equal(word_now(), RECLAIMER_AWAKE);
	assert_int_equal(sleeps[1].timeout_ms, DELAY);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_memory_leaves_it_startable),
		T(test_starts_once_in_a_process),
		T(test_a_child_starts_its_own),
		T(test_failure_leaves_it_startable),
		T(test_off_by_option),
		T(test_one_of_two_starters_wins),
		T(test_woken_only_when_asleep),
		T(test_sleeps_deeply_when_quiet),
		T(test_looks_once_more_before_it_sleeps),
		T(test_gives_back_what_lies_unused),
		T(test_no_delay_is_no_busy_loop),
		T(test_gives_ask_it_to_purge),
		T(test_budget_asks_nobody),
		T(test_gives_purge_without_it),
		T(test_gives_purge_beyond_the_bound),
		T(test_missed_memory_raises_the_budget),
		T(test_serves_requests),
		T(test_no_sleep_hides_a_request),
		T(test_comes_back),
	};

	return cmocka_run_group_tests(tests, heap_setup_pinned, NULL);
}
