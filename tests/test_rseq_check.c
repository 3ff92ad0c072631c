/* rseq check: the kernel is seen to abort sections, or not to; and what the
 * kernel refuses meanwhile teaches nothing */
#define _GNU_SOURCE

#include <dirent.h>
#include <sched.h>

#include "cases.h"
#include "cpucache/mode.h"
#include "cpucache/rseq_check.c"
#include "fake_system.h"
#include "system/config.h"

FIXTURE(reset)
{
	config.rseq = 1;
	fake_reset();
	rseq_start();
	helper_prepare();
	store_relaxed(&check.state, CHECK_NEW); // own
	store_relaxed(&check.stop, 0);		// own
	store_relaxed(&check.count, 0);		// own
}

static void need_rseq(void)
{
	if (!rseq_self())
		skip();
}

static unsigned nr_tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* Rounds for as long as the helper lives, from its first count on. */
static enum check_state watch_helper(struct rseq_area *self,
				     struct helper_life *life)
{
	enum check_state state = CHECK_RUNNING;

	while (load_relaxed(&life->thread.alive) && // hint
	       state == CHECK_RUNNING)
		if (load_relaxed(&check.count)) // counter
			state = check_round(self);
	return state;
}

/* As check_kernel(), without a bound: what it can learn it learns, however
 * slow the machine is. The helper is gone when it returns. */
static enum check_state check_until_learnt(struct rseq_area *self)
{
	enum check_state state = CHECK_RUNNING;
	struct helper_life *life;

	check.cpu = load_once(&self->cpu_id);
	while (state == CHECK_RUNNING) {
		store_relaxed(&check.stop, 0);	// own
		store_relaxed(&check.count, 0); // own
		assert_int_equal(helper_start(check_helper, false, &life), 0);
		state = watch_helper(self, life);
		store_relaxed(&check.stop, 1); // hint
		helper_await_end(life);
		assert_int_equal(nr_tasks(), 1);
	}
	return state;
}

TEST(test_kernel_aborts, reset)
{
	need_rseq();
	assert_true(rseq_kernel_aborts());
	assert_true(rseq_kernel_aborts());
	assert_true(fake_calls(FAKE_THREAD_START) <= 1);
	assert_int_equal(nr_tasks(), 1);
	assert_int_equal(check_until_learnt(rseq_self()), CHECK_ABORTS);
}

/* An area that the kernel does not know is a kernel that does not abort. */
TEST(test_kernel_does_not_abort, reset)
{
	static struct rseq_area unknown;
	cpu_set_t before;

	need_rseq();
	sched_getaffinity(0, sizeof(before), &before);
	unknown.cpu_id = load_once(&rseq_self()->cpu_id);
	assert_int_equal(system_bind_to_cpu(unknown.cpu_id), 0);
	assert_int_not_equal(check_kernel(&unknown), CHECK_ABORTS);
	assert_int_equal(check_until_learnt(&unknown), CHECK_FAILS);
	sched_setaffinity(0, sizeof(before), &before);
}

TEST(test_check_without_threads, reset)
{
	need_rseq();
	fake_fail_at(FAKE_THREAD_START, 1);
	assert_true(rseq_kernel_aborts());
}

/* A helper on any CPU tells nothing, so it does not begin. */
TEST(test_check_without_a_cpu, reset)
{
	need_rseq();
	fake_fail_at(FAKE_BIND, 1);
	assert_true(rseq_kernel_aborts());
	assert_int_equal(fake_failures(FAKE_BIND), 1);
	assert_int_equal(load_relaxed(&check.count), 0);	     // own
	assert_int_equal(load_relaxed(&check.state), CHECK_RUNNING); // own
	assert_int_equal(nr_tasks(), 1);
}

TEST(test_no_thread_no_check, reset)
{
	struct anchor before = anchor;

	anchor.rseq_cs = 0;
	assert_true(rseq_kernel_aborts());
	assert_int_equal(fake_calls(FAKE_THREAD_START), 0);
	anchor = before;
}

TEST_MAIN(NULL, NULL)
