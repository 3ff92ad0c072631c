/* system/sandbox.h: calls under way, rare calls that nobody overtakes, and
 * what a vfork child leaves behind */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define RARE_NAPS (1u << 30)
#include "cases.h"
#include "system/sandbox.c"

#define WORKERS 3
#define ROUNDS 200000
#define LOOKS 50

static uint64_t word(void)
{
	return load_relaxed(&sandbox_word); // own
}

FIXTURE(fresh)
{
	store_relaxed(&sandbox_word, 0); // own
	store_relaxed(&nr_rare, 0);	 // own
}

/* What one thread adds it can take off again, whatever others add. */
TEST(test_words_by_enumeration, fresh)
{
	uint64_t parts[] = { SANDBOX_CALL, SANDBOX_CHILD, SANDBOX_CHILD_STRICT,
			     SANDBOX_FILTER, SANDBOX_STRICT };
	struct sandbox_word w;
	unsigned n, i;
	uint64_t sum;

	for (n = 0; n < 1 << 5; n++) {
		for (sum = 0, i = 0; i < 5; i++)
			sum += n >> i & 1 ? parts[i] : 0;
		w = sandbox_word_unpack(sum);
		assert_int_equal(w.nr_calls, n & 1);
		assert_int_equal(w.nr_children, n >> 1 & 1);
		assert_int_equal(w.nr_strict, n >> 2 & 1);
		assert_int_equal(w.filter, n >> 3 & 1);
		assert_int_equal(w.strict, n >> 4 & 1);
		assert_int_equal(sandbox_forbids(sum, SANDBOX_OF_ANYBODY),
				 n != 0);
		assert_int_equal(sandbox_forbids(sum, SANDBOX_OF_PROCESS),
				 (n & (1 | 8 | 16)) != 0);
	}
}

TEST(test_calls_count, fresh)
{
	sandbox_begin();
	sandbox_begin();
	sandbox_end(0);
	assert_true(sandbox_known());
	sandbox_end(0);
	assert_false(sandbox_known());
	sandbox_begin();
	sandbox_end(SANDBOX_FILTER);
	assert_true(sandbox_known());
	assert_false(sandbox_strict());
	sandbox_begin();
	sandbox_end(SANDBOX_STRICT);
	assert_true(sandbox_strict());
	assert_int_equal(word(), SANDBOX_FILTER | SANDBOX_STRICT);
}

TEST(test_no_rare_call_in_a_sandbox, fresh)
{
	assert_true(sandbox_try_rare(SANDBOX_OF_ANYBODY));
	assert_true(sandbox_try_rare(SANDBOX_OF_PROCESS));
	sandbox_rare_done();
	sandbox_rare_done();
	sandbox_begin();
	assert_false(sandbox_try_rare(SANDBOX_OF_ANYBODY));
	assert_false(sandbox_try_rare(SANDBOX_OF_PROCESS));
	assert_int_equal(load_relaxed(&nr_rare), 0); // own
	sandbox_end(0);
	assert_true(sandbox_try_rare(SANDBOX_OF_ANYBODY));
	sandbox_rare_done();
}

/* Who was given up and comes out after all. */
TEST(test_given_up, fresh)
{
	assert_true(sandbox_try_rare(SANDBOX_OF_ANYBODY));
	store_relaxed(&nr_rare, 0); // own: as rare_await() leaves it
	sandbox_rare_done();
	assert_int_equal(load_relaxed(&nr_rare), 0); // own
}

/* No thread is in a rare call from begin to end. */
static _Atomic(uint32_t) inside, done, nr_calls; /* atomic */

static void *call_rarely(void *seen)
{
	while (!load_relaxed(&done)) { // hint
		if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
			continue;
		for (unsigned i = 0; i < LOOKS; i++)
			if (load_seq(&inside))
				*(bool *)seen = true;
		add_relaxed(&nr_calls, 1); // counter
		sandbox_rare_done();
	}
	return NULL;
}

static void be_inside(void)
{
	for (unsigned i = 0; i < LOOKS; i++)
		store_seq(&inside, 1);
	store_seq(&inside, 0);
}

TEST(test_who_enters_waits, fresh)
{
	pthread_t threads[WORKERS];
	bool seen[WORKERS] = { false };

	store_relaxed(&done, 0); // own
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, call_rarely, &seen[i]);
	while (load_relaxed(&nr_calls) < ROUNDS) { // counter
		sandbox_begin();
		be_inside();
		sandbox_end(0);
	}
	store_relaxed(&done, 1); // hint
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(seen[i]);
	}
	assert_int_equal(word(), 0);
}

/* In the place of the calling thread; libc's vfork. */
static int in_vfork_child(void (*run)(void))
{
	int status = 0;
	pid_t pid;

	sandbox_vfork_begin();
	pid = vfork();
	if (!pid) {
		run();
		_exit(77);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void enter(void)
{
	sandbox_begin();
	sandbox_end(SANDBOX_FILTER);
	sandbox_begin();
	sandbox_end(0);
}

static void enter_strictly(void)
{
	enter();
	sandbox_begin();
	sandbox_end(SANDBOX_STRICT);
	if (!sandbox_strict())
		_exit(1);
}

static void enter_and_die(void)
{
	sandbox_begin();
	kill(getpid(), SIGKILL);
}

TEST(test_child_takes_it_with_it, fresh)
{
	static void (*const runs[])(void) = { enter, enter_strictly,
					      enter_and_die };

	for (unsigned i = 0; i < 3; i++) {
		in_vfork_child(runs[i]);
		assert_true(sandbox_known());
		assert_false(sandbox_forbids(word(), SANDBOX_OF_PROCESS));
		assert_int_equal(sandbox_strict(), i == 1);
		assert_false(sandbox_try_rare(SANDBOX_OF_ANYBODY));
		assert_true(sandbox_try_rare(SANDBOX_OF_PROCESS));
		sandbox_rare_done();
		sandbox_vfork_end();
		assert_int_equal(word(), 0);
		assert_false(sandbox_child_entered());
	}
}

static void have_a_child(void)
{
	if (in_vfork_child(enter) != 77 << 8 || !sandbox_known())
		_exit(1);
	sandbox_vfork_end();
}

/* A child's child: until the first parent goes on. */
TEST(test_children_nest, fresh)
{
	assert_int_equal(in_vfork_child(have_a_child), 77 << 8);
	assert_int_equal(word(), SANDBOX_CHILD);
	sandbox_vfork_end();
	assert_int_equal(word(), 0);
}

/* What the parent's own handler enters there is the process's. */
TEST(test_handler_of_the_parent, fresh)
{
	sandbox_vfork_begin();
	sandbox_begin();
	sandbox_end(SANDBOX_FILTER);
	sandbox_vfork_end();
	assert_int_equal(word(), SANDBOX_FILTER);
}

/* In a sandbox the process id is not asked for. */
TEST(test_child_in_a_sandbox, fresh)
{
	sandbox_begin();
	sandbox_end(SANDBOX_FILTER);
	in_vfork_child(enter_strictly);
	assert_true(sandbox_strict());
	sandbox_vfork_end();
	assert_int_equal(word(), SANDBOX_FILTER);
}

TEST_MAIN(NULL, NULL)
