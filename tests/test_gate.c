/* front/gate.h: closers nest, only the last opens, and no late opener opens
 * over a closer; commits raise the bound of an open gate alone */
#include "heap_fixture.h"

#include "front/gate.c"

static uint64_t small_end(void)
{
	return load_relaxed(&anchor.small_end); // own
}

static uint64_t free_end(void)
{
	return load_relaxed(&anchor.tags_end); // own
}

static uint64_t committed_end(void)
{
	return 16 * (uint64_t)load_relaxed(&regions[0].nr_committed); // hint
}

static void is_open(void)
{
	assert_true(gate_is_open());
	assert_int_equal(small_end(), SMALL_SIZE_MOST + 1);
	assert_int_equal(free_end(), committed_end());
}

static void is_closed(void)
{
	assert_false(gate_is_open());
	assert_int_equal(small_end(), 0);
	assert_int_equal(free_end(), 0);
	assert_int_equal(load_relaxed(&gate_checked.small_end), 0); // own
	assert_int_equal(load_relaxed(&gate_checked.tags_end), 0);  // own
	assert_int_equal(load_relaxed(&gate_marked.small_end), 0);  // own
	assert_int_equal(load_relaxed(&gate_marked.tags_end), 0);   // own
}

static bool gate_moves(void)
{
	return has_lanes() && rseq_state.fence;
}

FIXTURE(done)
{
	all_is_free();
	if (gate_moves())
		is_open();
}

/* Each change is one addition, and makes the word larger: none comes twice. */
TEST(test_words_by_enumeration)
{
	struct gate_count w, next;
	uint64_t word;

	for (w.version = 0; w.version < 5; w.version++)
		for (w.nr_closers = 0; w.nr_closers < 5; w.nr_closers++) {
			word = gate_count_pack(w);
			assert_int_equal(gate_has_closers(word),
					 w.nr_closers > 0);
			next = gate_count_unpack(word + GATE_CLOSES);
			assert_int_equal(next.nr_closers, w.nr_closers + 1);
			assert_int_equal(next.version, w.version + 1);
			assert_true(gate_count_pack(next) > word);
			if (!w.nr_closers)
				continue;
			next = gate_count_unpack(word + GATE_OPENS(1u));
			assert_int_equal(next.nr_closers, w.nr_closers - 1);
			assert_int_equal(next.version, w.version + 1);
			assert_true(gate_count_pack(next) > word);
		}
}

static int pinned(void **state);

TEST_WHERE(gate_moves(), test_only_the_last_opens, pinned, done)
{
	is_open();
	for (unsigned depth = 1; depth <= 5; depth++) {
		for (unsigned i = 0; i < depth; i++) {
			gate_close();
			is_closed();
		}
		for (unsigned i = 1; i < depth; i++) {
			gate_open();
			is_closed();
		}
		gate_open();
		is_open();
	}
}

/* So many units that the heap must make more of them usable. */
static void *commit_more(void)
{
	uint32_t before = load_relaxed(&regions[0].nr_committed); // hint
	void *block = block_alloc(((size_t)before << UNIT_SHIFT) + MIB);

	assert_non_null(block);
	assert_true(load_relaxed(&regions[0].nr_committed) > before); // hint
	return block;
}

TEST_WHERE(gate_moves(), test_commits_raise_the_open_bound, pinned, done)
{
	void *block = commit_more();

	is_open();
	heap_free(block);
	/* Calls may come out of order. */
	anchor_commit(1);
	is_open();
}

TEST_WHERE(gate_moves(), test_commits_do_not_open, pinned, done)
{
	void *block;

	gate_close();
	block = commit_more();
	is_closed();
	anchor_commit(load_relaxed(&regions[0].nr_committed));
	is_closed();
	gate_open();
	is_open();
	heap_free(block);
}

TEST_WHERE(gate_moves(), test_calls_work_while_closed, pinned, done)
{
	struct lanemalloc_stats before, now;
	char *block;

	heap_free(heap_alloc(64)); /* CPUs without lanes are not counted */
	gate_close();
	before = stats_now();
	for (unsigned i = 0; i < 100; i++) {
		block = heap_alloc(i);
		assert_non_null(block);
		memset(block, 1, i);
		heap_free(block);
	}
	now = stats_now();
	assert_int_equal(now.nr_direct, before.nr_direct + 200);
	assert_int_equal(now.cached_size, before.cached_size);
	gate_open();
}

/* An opener that saw the count 0 slept; meanwhile somebody closed. */
TEST_WHERE(gate_moves(), test_late_opener_is_refused, pinned, done)
{
	uint64_t seen = load_relaxed(&gate_count); // own

	gate_close();
	open_words(seen, OPEN_TRIES);
	is_closed();
	gate_close();
	gate_open();
	open_words(seen, OPEN_TRIES);
	is_closed();
	gate_open();
	is_open();
	/* Not even where the count is 0 again: others have opened since. */
	store_relaxed(&anchor.small_end, 0); // own
	store_relaxed(&anchor.tags_end, 0);  // own
	open_words(seen, OPEN_TRIES);
	is_closed();
	gate_close();
	gate_open();
}

/* Children that share the memory and never say that they are gone. */
TEST_WHERE(gate_moves(), test_any_number_of_closers, pinned, done)
{
	unsigned i;

	for (i = 0; i <= 65536; i++)
		gate_close();
	gate_open();
	is_closed();
	while (i-- > 1)
		gate_open();
	is_open();
}

TEST_WHERE(gate_moves(), test_stays_closed_without_a_fence, pinned, done)
{
	rseq_state.fence = false;
	gate_close();
	gate_open();
	is_closed();
	rseq_state.fence = true;
	gate_close();
	gate_open();
}

static void opens_the_other_pair(uint64_t checks, struct gate_words *pair)
{
	uint64_t end;

	option_set(&config.checks, checks);
	assert_true(gate_is_open());
	assert_false(gate_is_stuck());
	assert_int_equal(small_end(), 0);
	assert_int_equal(free_end(), 0);
	end = load_relaxed(&pair->tags_end); // own
	assert_int_equal(end, committed_end());
	assert_int_equal(load_relaxed(&pair->small_end), // own
			 SMALL_SIZE_MOST + 1);
	anchor_commit((uint32_t)(end / 16 + 1));
	assert_int_equal(free_end(), 0);
	assert_int_equal(load_relaxed(&pair->tags_end), end + 16); // own
	gate_close();
	is_closed();
	gate_open();
	option_set(&config.checks, CHECKS_OFF);
	is_open();
}

/* With checks another pair opens, and follows what is committed. */
TEST_WHERE(gate_moves(), test_checked_opens_another_pair, pinned, done)
{
	opens_the_other_pair(CHECKS_FAST, &gate_marked);
	opens_the_other_pair(CHECKS_FULL, &gate_checked);
}

TEST_WHERE(gate_moves(), test_stays_closed_in_modes_that_look, pinned, done)
{
	uint32_t mode = load_relaxed(&rseq_state.mode); // own

	option_set(&config.usable, USABLE_REQUESTED);
	is_closed();
	gate_start();
	is_closed();
	option_set(&config.usable, USABLE_REAL);
	is_open();
	store_relaxed(&rseq_state.mode, MODE_DIRECT); // own
	gate_close();
	gate_open();
	is_closed();
	store_relaxed(&rseq_state.mode, mode); // own
	gate_close();
	gate_start();
	is_closed();
	gate_open();
}

#define THREADS 4
#define ROUNDS 2000

static void *close_and_open(void *unused)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		gate_close();
		for (unsigned k = 0; k < 50; k++)
			if (small_end() || free_end())
				fail_msg("open with a closer inside");
		gate_open();
	}
	return unused;
}

static void *commit(void *unused)
{
	for (unsigned i = 0; i < 50 * ROUNDS; i++)
		anchor_commit(load_relaxed(&regions[0].nr_committed));
	return unused;
}

/* The first nr_first threads run `first`, the others `rest`. */
static void run_against(unsigned nr_first, void *(*first)(void *),
			void *(*rest)(void *))
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, i < nr_first ? first : rest,
			       NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

TEST_FIRST(test_closed_as_long_as_a_closer_is_inside, NULL, done)
{
	if (!gate_moves())
		skip();
	run_against(1, commit, close_and_open);
	is_open();
}

/* The kernel has fences, and some fail: nobody knows when the last opener is
 * through, until one succeeds. */
TEST_WHERE(gate_moves(), test_a_failed_fence_is_owed, pinned, done)
{
	fake_fail_from(FAKE_FENCE, 1);
	gate_close();
	gate_close();
	gate_open();
	is_closed();
	gate_open();
	is_closed();
	gate_close();
	gate_open();
	is_closed();
	assert_int_equal(
		gate_count_unpack(load_relaxed(&gate_count)).nr_closers,
		load_relaxed(&gate_debt)); // own
	fake_fail_from(FAKE_FENCE, 0);
	gate_close();
	is_closed();
	gate_open();
	is_open();
	assert_false(gate_has_closers(load_relaxed(&gate_count))); // own
}

/* What it owes in a sandbox, which may kill for a fence, is paid when the
 * sandbox was refused, by the caller or the closer, whoever comes last. */
TEST_WHERE(gate_moves(), test_a_sandbox_is_refused, pinned, done)
{
	unsigned long fences = fake_calls(FAKE_FENCE);

	sandbox_begin();
	gate_close();
	is_closed();
	gate_settle();
	gate_open();
	is_closed();
	assert_int_equal(fake_calls(FAKE_FENCE), fences + 1);
	sandbox_end(0);
	assert_true(gate_settle());
	is_open();
	sandbox_begin();
	gate_close();
	sandbox_end(0);
	gate_settle();
	is_closed();
	gate_open();
	is_open();
}

static void *enter_and_be_refused(void *unused)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		sandbox_begin();
		sandbox_end(0);
		gate_settle();
	}
	return unused;
}

static void *close_meanwhile(void *unused)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		gate_close();
		if (gate_is_open())
			fail_msg("open with a closer inside");
		gate_open();
	}
	return unused;
}

/* However they meet, nothing is owed at the end. */
TEST_WHERE(gate_moves(), test_callers_and_closers, NULL, done)
{
	run_against((THREADS + 1) / 2, enter_and_be_refused, close_meanwhile);
	assert_int_equal(load_relaxed(&gate_debt), 0); // own
	is_open();
}

TEST(test_closed_for_good)
{
	gate_close();
	is_closed();
	gate_close();
	gate_open();
	is_closed();
	gate_start();
	is_closed();
}

FIXTURE(pinned)
{
	stay_on_this_cpu();
}

TEST_MAIN(heap_setup, NULL)
