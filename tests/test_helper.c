/* system/helper.h: births, lives and their end; run here by hand, without a
 * thread */
#include "helper_world.h"

#include <sys/wait.h>
#include <unistd.h>

static struct helper_life *born;
static unsigned nr_ran;

/* Sleeps until it must end. */
static void run(struct helper_life *life)
{
	helper_begin(life);
	nr_ran++;
	while (!helper_must_end(life))
		helper_sleep(life, HELPER_AWAKE, 1000);
	helper_end(life);
}

static int birth_now(void)
{
	return helper_start(run, true, &born);
}

/* In the place of the calling thread. */
static void vfork_child_enters(void)
{
	pid_t pid = vfork();

	if (!pid) {
		sandbox_begin();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void *forbid_there(void *was)
{
	return (void *)(uintptr_t)helper_forbid(was);
}

static uint32_t by_another_thread(bool *was)
{
	pthread_t thread;
	void *token;

	assert_int_equal(pthread_create(&thread, NULL, forbid_there, was), 0);
	pthread_join(thread, &token);
	return (uint32_t)(uintptr_t)token;
}

static uint32_t word_of(struct helper_life *life)
{
	return load_relaxed(&life->word); // own
}

FIXTURE(fresh)
{
	fake_reset_quiet();
	helper_world_reset();
	helper_prepare();
	nr_ran = 0;
}

/* Forbidding is one addition, and its version never comes back; allowing takes
 * one forbidder off, and none from nobody. */
TEST(test_births_by_enumeration)
{
	uint64_t one = births_pack(births_forbid);
	struct births w, next;

	for (w.version = 0; w.version < 4; w.version++)
		for (w.nr_forbidders = 0; w.nr_forbidders < 4;
		     w.nr_forbidders++) {
			next = births_unpack(births_pack(w) + one);
			assert_int_equal(next.nr_forbidders,
					 w.nr_forbidders + 1);
			assert_int_equal(next.version, w.version + 1);
			assert_true(births_are_forbidden(births_pack(next)));
			next = births_allowed(next);
			assert_int_equal(next.nr_forbidders, w.nr_forbidders);
			assert_int_equal(next.version, w.version + 1);
			assert_int_equal(births_are_forbidden(births_pack(w)),
					 w.nr_forbidders > 0);
		}
	next = births_allowed((struct births){ 0, 7 });
	assert_int_equal(next.nr_forbidders, 0);
	assert_int_equal(next.version, 7);
}

TEST(test_nothing_before_it_is_prepared, fresh)
{
	bool was;

	helper_forget();
	assert_false(helper_is_prepared());
	assert_null(helper_current());
	assert_int_equal(birth_now(), -EPERM);
	assert_int_equal(helper_forbid(&was), 0);
	assert_false(was);
	helper_allow(0);
	assert_int_equal(started.nr, 0);
}

TEST(test_birth, fresh)
{
	assert_int_equal(birth_now(), 0);
	assert_int_equal(started.nr, 1);
	assert_ptr_equal(started.arg, born);
	assert_ptr_equal(started.stack, born->stack);
	assert_int_equal(started.stack_size, sizeof(born->stack));
	assert_ptr_equal(started.tls, &born->self);
	assert_ptr_equal(born->self, &born->self);
	assert_int_equal(kernel.nr_blocks, 0);
	assert_ptr_equal(helper_current(), born);
	assert_int_equal(word_of(born), HELPER_AWAKE);
}

TEST(test_the_kernel_refuses, fresh)
{
	start_result = -EAGAIN;
	assert_int_equal(birth_now(), -EAGAIN);
	assert_null(helper_current());
	assert_int_equal(kernel.nr_blocks, 0);
	start_result = 0;
	assert_int_equal(birth_now(), 0);
	assert_ptr_equal(started.arg, &helper_memory()->lives[0]);
}

/* The former one is told to leave, and a third one has no place. */
TEST(test_successor, fresh)
{
	struct helper_life *former;

	birth_now();
	former = born;
	assert_int_equal(birth_now(), 0);
	assert_ptr_not_equal(former, born);
	assert_ptr_equal(helper_current(), born);
	assert_int_equal(word_of(former), HELPER_LEAVE);
	assert_int_equal(fake_calls(FAKE_WAKE), 1);
	assert_int_equal(birth_now(), -EBUSY);
	assert_int_equal(word_of(helper_current()), HELPER_AWAKE);
	thread_ends(&former->thread);
	assert_int_equal(birth_now(), 0);
	assert_ptr_equal(born, former);
}

/* Its stack is free before its task is gone: never more tasks than lives. */
TEST(test_no_birth_before_the_task_is_gone, fresh)
{
	birth_now();
	kernel.lingers = (int)load_relaxed(&born->thread.tid); // own
	thread_ends(&born->thread);
	birth_now();
	assert_ptr_equal(born, &helper_memory()->lives[1]);
	thread_ends(&born->thread);
	assert_int_equal(birth_now(), 0);
	assert_ptr_equal(born, &helper_memory()->lives[1]);
}

TEST(test_child_of_a_fork, fresh)
{
	birth_now();
	/* With memory that is wiped: nobody lives, until it is claimed. */
	helper_forget();
	fake.pid = kernel.tid = FIRST_TID + 1;
	assert_null(helper_current());
	assert_int_equal(birth_now(), -EPERM);
	helper_prepare();
	assert_int_equal(birth_now(), 0);
}

/* As after clone(CLONE_VM): another process on the same memory. */
TEST(test_shared_memory, fresh)
{
	bool was;

	birth_now();
	fake.pid = kernel.tid = FIRST_TID + 1;
	helper_prepare();
	assert_int_equal(birth_now(), -EPERM);
	assert_int_equal(helper_forbid(&was), 0);
	assert_false(was);
	assert_int_equal(started.nr, 1);
}

static void leaves(struct helper_life *life)
{
	assert_int_equal(word_of(life), HELPER_LEAVE);
	kernel.lingers = (int)load_relaxed(&life->thread.tid); // own
	thread_ends(&life->thread);
}

TEST(test_forbid_waits_for_its_end, fresh)
{
	uint32_t token;
	bool was;

	birth_now();
	awaited = leaves;
	token = helper_forbid(&was);
	assert_true(was);
	assert_int_equal(kernel.nr_naps, 8);
	assert_int_equal(load_relaxed(&born->thread.tid), 0); // own
	assert_int_equal(birth_now(), -EPERM);
	helper_allow(token);
	assert_int_equal(birth_now(), 0);
}

TEST(test_forbid_nests, fresh)
{
	uint32_t one, two;
	bool was;

	one = helper_forbid(&was);
	assert_false(was);
	two = helper_forbid(&was);
	helper_allow(one);
	assert_int_equal(birth_now(), -EPERM);
	helper_allow(two);
	assert_int_equal(birth_now(), 0);
	/* In a child that was forked in between there is nothing to allow. */
	helper_allow(two);
	helper_allow(two + 1);
	assert_false(births_are_forbidden(
		load_relaxed(&helper_memory()->births))); // own
}

/* An id that is another thread's by now does not hold anybody up for ever. */
TEST(test_forbid_gives_up_on_an_id, fresh)
{
	bool was;

	birth_now();
	thread_ends(&born->thread);
	store_relaxed(&born->thread.tid, FIRST_TID + 1); // own: a live one
	helper_allow(helper_forbid(&was));
	assert_int_equal(kernel.nr_naps, SHORT_NAPS + LONG_NAPS);
	assert_int_equal(load_relaxed(&born->thread.tid), 0); // own
}

/* A birth that stopped in the middle is not waited for, and what is born of
 * it after all ends before it does anything. */
TEST(test_late_birth, fresh)
{
	bool was;

	birth_now();
	store_relaxed(&born->thread.tid, 0); // own: not cloned yet
	helper_allow(helper_forbid(&was));
	store_relaxed(&born->thread.tid, FIRST_TID + 100); // own: now
	run_to_its_end();
	assert_true(has_ended);
	assert_int_equal(nr_ran, 0);
}

static void forbid_now(unsigned nr)
{
	bool was;

	(void)nr;
	awaited = leaves;
	helper_allow(helper_forbid(&was));
	thread_ends(&born->thread);
}

/* Born now, it ends by what happens then, at its n-th sleep. */
static void lives_until(void (*happens)(unsigned nr), unsigned n)
{
	birth_now();
	event = happens;
	run_to_its_end();
	assert_int_equal(nr_sleeps, n);
}

TEST(test_ends_when_told, fresh)
{
	lives_until(forbid_now, 1);
	assert_true(has_ended);
	assert_int_equal(word_of(born), HELPER_NONE);
}

static void other_rights(unsigned nr)
{
	kernel.same_rights = nr < 3;
}

TEST(test_ends_with_other_rights, fresh)
{
	lives_until(other_rights, 3);
}

/* The first thread ends, and the kernel clears its word. */
static void first_ends(unsigned nr)
{
	if (nr < 3)
		return;
	store_relaxed(&kernel.first_word, 0); // own
	kernel.first_runs = false;
}

TEST(test_ends_with_the_first_thread, fresh)
{
	lives_until(first_ends, 3);
	assert_true(sleeps[2].watched);
	assert_int_equal(sleeps[2].timeout_ms, 1000);
}

static void creator_ends(unsigned nr)
{
	first_ends(nr);
	kernel.creator_lives = nr < 10;
}

/* Born of another thread, it lives as long as one of the two. */
TEST(test_ends_with_the_last_of_two, fresh)
{
	kernel.tid = FIRST_TID + 1;
	lives_until(creator_ends, 10);
	assert_false(sleeps[9].watched);
	assert_int_equal(sleeps[9].timeout_ms, SLICE_MS);
}

/* Behind a filter that was there before the program it uses no rare call. */
TEST(test_filtered, fresh)
{
	helper_forget();
	kernel.filtered = true;
	kernel.same_rights = false;
	helper_prepare();
	lives_until(first_ends, 3);
	assert_false(sleeps[0].watched);
	assert_int_equal(sleeps[0].timeout_ms, SLICE_MS);
}

/* Where nobody could tell it that the process has ended. */
TEST(test_nobody_to_watch, fresh)
{
	helper_forget();
	kernel.has_word = kernel.first_runs = false;
	helper_prepare();
	assert_int_equal(birth_now(), -ENOSYS);
	assert_int_equal(started.nr, 0);
}

TEST(test_no_birth_in_a_sandbox, fresh)
{
	sandbox_begin();
	assert_int_equal(birth_now(), -EPERM);
	sandbox_end(0);
	assert_int_equal(birth_now(), 0);
}

static void not_awaited(struct helper_life *life)
{
	(void)life;
	fail();
}

/* Another thread is in a call that may enter a sandbox, and has awaited the
 * helper. Who forbids now asks the kernel for nothing; when that call was
 * refused there is still no birth, and who allows last owes one. */
TEST(test_forbid_beside_a_sandbox, fresh)
{
	uint32_t theirs, mine;
	bool was, maybe;

	birth_now();
	awaited = leaves;
	theirs = helper_forbid(&was);
	assert_true(was);
	sandbox_begin();
	awaited = not_awaited;
	fake.pid = 1;
	mine = helper_forbid(&maybe);
	assert_int_equal(mine, FIRST_TID);
	assert_true(maybe);
	fake.pid = FIRST_TID;
	sandbox_end(0);
	helper_allow(theirs);
	assert_int_equal(birth_now(), -EPERM);
	helper_allow(mine);
	assert_int_equal(birth_now(), 0);
}

/* Where the call was refused between the two looks, the wait is made. */
TEST(test_forbid_behind_a_sandbox, fresh)
{
	bool was, rare = false;

	birth_now();
	awaited = leaves;
	was = forbid(helper_memory(), &rare);
	assert_true(was);
	assert_true(rare);
	sandbox_rare_done();
	helper_allow(FIRST_TID);
	assert_int_equal(birth_now(), 0);
}

/* A vfork child in a sandbox: its parent's helper is not its own, and its
 * parent's threads may ask for everything. */
TEST(test_forbid_with_a_child_in_a_sandbox, fresh)
{
	uint32_t token;
	bool was;

	birth_now();
	sandbox_vfork_begin();
	vfork_child_enters();
	assert_int_equal(helper_forbid(&was), 0);
	assert_int_equal(birth_now(), -EPERM);
	awaited = leaves;
	token = by_another_thread(&was);
	assert_int_equal(token, FIRST_TID);
	assert_true(was);
	helper_allow(token);
	sandbox_vfork_end();
	assert_int_equal(birth_now(), 0);
}

TEST_MAIN(heap_setup, NULL)
