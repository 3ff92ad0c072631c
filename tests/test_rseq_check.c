/* rseq check: the kernel is seen to abort sections, or not to; and what the
 * kernel refuses meanwhile teaches nothing */
#define _GNU_SOURCE

#include <dirent.h>
#include <sched.h>

#include "cases.h"
#include "cpucache/rseq_check.c"
#include "fake_system.h"
#include "system/config.h"

#define NR_TRIES 500

static int reset(void **unused)
{
	(void)unused;
	config.rseq = 1;
	fake_reset();
	rseq_start();
	helper_prepare();
	store_relaxed(&check.state, CHECK_NEW); // own
	store_relaxed(&check.stop, 0);		// own
	store_relaxed(&check.count, 0);		// own
	return 0;
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

/* Its helper is gone when it returns. */
static enum check_state check_again(struct rseq_area *self)
{
	enum check_state state;

	store_relaxed(&check.stop, 0); // own
	store_relaxed(&check.count, 0); // own
	state = check_kernel(self);
	assert_int_equal(nr_tasks(), 1);
	return state;
}

TEST(test_kernel_aborts, reset)
{
	enum check_state state = CHECK_RUNNING;
	unsigned i;

	need_rseq();
	assert_true(rseq_kernel_aborts());
	assert_true(rseq_kernel_aborts());
	assert_true(fake_calls(FAKE_THREAD_START) <= 1);
	assert_int_equal(nr_tasks(), 1);
	for (i = 0; i < NR_TRIES && state == CHECK_RUNNING; i++)
		state = check_again(rseq_self());
	assert_int_equal(state, CHECK_ABORTS);
}

/* An area that the kernel does not know is a kernel that does not abort. */
TEST(test_kernel_does_not_abort, reset)
{
	static struct rseq_area unknown;
	enum check_state state = CHECK_RUNNING;
	cpu_set_t before;
	unsigned i;

	need_rseq();
	sched_getaffinity(0, sizeof(before), &before);
	unknown.cpu_id = load_once(&rseq_self()->cpu_id);
	assert_int_equal(system_bind_to_cpu(unknown.cpu_id), 0);
	for (i = 0; i < NR_TRIES && state == CHECK_RUNNING; i++)
		state = check_again(&unknown);
	sched_setaffinity(0, sizeof(before), &before);
	assert_int_equal(state, CHECK_FAILS);
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
