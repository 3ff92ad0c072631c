/* rseq: the decision for a mode, ids, fences, and the check of the kernel
 *
 * rseq.c is part of this program, with libc's registration replaced by
 * variables, so that every decision can be reached. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define __rseq_offset test_rseq_offset
#define __rseq_size test_rseq_size
#define getauxval test_getauxval
#include "cpucache/rseq.c"
#undef __rseq_offset
#undef __rseq_size
#undef getauxval
#include "fake_system.h"

extern unsigned long getauxval(unsigned long type);
extern const ptrdiff_t __rseq_offset weak_import;
extern const unsigned int __rseq_size weak_import;

/* What rseq.c reads as const symbols of libc's. */
ptrdiff_t libc_offset __asm__("test_rseq_offset");
unsigned int libc_size __asm__("test_rseq_size");

/* An old kernel, which does not tell the size. */
static bool aux_unknown;

unsigned long test_getauxval(unsigned long type)
{
	if (!aux_unknown)
		return getauxval(type);
	errno = ENOENT;
	return 0;
}

#define NR_RACERS 8
#define NR_RACES 200
#define UNREGISTER 1

static bool libc_has_rseq(void)
{
	return &__rseq_size && __rseq_size;
}

static void need_rseq(void)
{
	if (!libc_has_rseq())
		skip();
}

static int reset(void **unused)
{
	(void)unused;
	memset(&anchor, 0, sizeof(anchor));
	memset(&rseq_state, 0, sizeof(rseq_state));
	store_relaxed(&decided, UNDECIDED); // own
	aux_unknown = false;
	config.rseq = 1;
	config.index = INDEX_AUTO;
	libc_offset = &__rseq_offset ? __rseq_offset : 0;
	libc_size = &__rseq_size ? __rseq_size : 0;
	fake_reset();
	return 0;
}

static uint32_t mode(void)
{
	return load_relaxed(&rseq_state.mode); // own
}

static const char *why(void)
{
	return load_relaxed(&rseq_state.why); // own
}

/* Sections fail and touch nothing, not even the caches of the real ids. */
static void assert_sections_fail(void)
{
	static char head[REGION_HEAD_SIZE + 4096];
	static char before[sizeof(head)];
	uint64_t *table = (void *)(head + REGION_TABLE_OFFSET);
	struct lane *l = (void *)(head + REGION_HEAD_SIZE);
	void *objects[2] = { head, head };
	unsigned i;

	for (i = 0; i < REGION_TABLE_WORDS; i++)
		table[i] = REGION_HEAD_SIZE;
	l->count = 1;
	store_relaxed(&l->limit, 10); // own
	l->slots = (void **)(l + 1) + 1;
	l->slots[0] = &table;
	memcpy(before, head, sizeof(head));
	anchor.base = head;
	assert_null(percpu_pop(0));
	assert_false(percpu_push(0, head));
	assert_int_equal(percpu_pop_batch(0, objects, 2), 0);
	assert_int_equal(percpu_push_batch(0, objects, 2), 0);
	assert_memory_equal(before, head, sizeof(head));
	anchor.base = NULL;
}

static void assert_direct(void)
{
	assert_int_equal(mode(), MODE_DIRECT);
	assert_memory_equal(why(), "direct: ", 8);
	assert_null(rseq_self());
	assert_true(rseq_state.nr_cpus >= 1);
	assert_true(rseq_current_id() < rseq_state.nr_cpus);
	assert_sections_fail();
}

static void test_release_keys(void **unused)
{
	(void)unused;
	assert_int_equal(release_key("6.18.44-custom"), 0x06122c);
	assert_int_equal(release_key("6.19.0-rc1"), 0x061300);
	assert_int_equal(release_key("6.19-foo"), 0x061300);
	assert_int_equal(release_key("7.0.13"), 0x07000d);
	assert_int_equal(release_key("5.10.0-28-arm64"), 0x050a00);
	assert_int_equal(release_key("4.14.336"), 0x040eff);
	assert_int_equal(release_key(""), 0);
	assert_int_equal(release_key("weird"), 0);
	assert_false(release_broken(0x0612ff, 0x061300, 0x07000d));
	assert_true(release_broken(0x061300, 0x061300, 0x07000d));
	assert_true(release_broken(0x06130a, 0x061300, 0x07000d));
	assert_true(release_broken(0x07000d, 0x061300, 0x07000d));
	assert_false(release_broken(0x07000e, 0x061300, 0x07000d));
	assert_false(release_broken(0x061300, 1, 0));
}

static const struct facts good = {
	.wanted = true, .libc_knows = true, .libc_size = 32, .cpu_id = 1,
	.nr_cpus = 64, .feature_size = 28, .index = INDEX_AUTO,
};

#define assert_decides(decision, ...)                                    \
	do {                                                             \
		struct facts f = good;                                   \
		__VA_ARGS__;                                             \
		assert_int_equal(decide(&f), DECIDED_##decision);        \
	} while (0)

static void test_decisions(void **unused)
{
	(void)unused;
	assert_decides(MM_CID, );
	assert_decides(OFF, f.wanted = false);
	assert_decides(OFF, f.wanted = false; f.libc_knows = false);
	assert_decides(NO_LIBC, f.libc_knows = false; f.libc_size = 0);
	assert_decides(NOT_DONE, f.libc_size = 0);
	assert_decides(NO_CPU, f.cpu_id = UINT32_MAX);
	assert_decides(NO_CPU, f.cpu_id = UINT32_MAX - 1);
	assert_decides(NO_CPU, f.cpu_id = 8192);
	assert_decides(MM_CID, f.cpu_id = 8191);
	assert_decides(MANY_CPUS, f.nr_cpus = 8193);
	assert_decides(MM_CID, f.nr_cpus = 8192);
	assert_decides(BROKEN, f.broken = true);
	assert_decides(CPU_ID_OPTION, f.index = INDEX_CPU_ID);
	assert_decides(BROKEN, f.index = INDEX_CPU_ID; f.broken = true);
}

static void test_decisions_by_sizes(void **unused)
{
	(void)unused;
	assert_decides(CPU_ID, f.feature_size = 0);
	assert_decides(CPU_ID, f.feature_size = 27);
	assert_decides(MM_CID, f.feature_size = 33);
	assert_decides(MM_CID, f.libc_size = 20);
	assert_decides(CPU_ID, f.libc_size = 20; f.feature_size = 20);
	assert_decides(CPU_ID, f.libc_size = 24; f.feature_size = 28);
	assert_decides(MM_CID, f.libc_size = 28);
	assert_decides(MM_CID, f.libc_size = 33; f.feature_size = 33);
	assert_decides(CPU_ID, f.index = INDEX_MM_CID; f.feature_size = 20);
	assert_decides(MM_CID, f.index = INDEX_MM_CID);
}

static void test_off_by_option(void **unused)
{
	(void)unused;
	config.rseq = 0;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "option"));
	assert_true(rseq_kernel_aborts());
}

static void test_libc_did_not_register(void **unused)
{
	(void)unused;
	libc_size = 0;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "glibc.pthread.rseq=0"));
}

static __thread struct rseq_area refused = { .cpu_id = UINT32_MAX - 1 };

static void test_kernel_refused(void **unused)
{
	(void)unused;
	libc_offset = (char *)&refused - percpu_thread_pointer();
	libc_size = 32;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "no CPU number"));
}

static void test_before_start(void **unused)
{
	(void)unused;
	assert_null(rseq_self());
	assert_int_equal(rseq_current_id(), 0);
	assert_false(rseq_fence());
	assert_true(rseq_libc_ready());
}

static void test_cpu_id_mode(void **unused)
{
	(void)unused;
	need_rseq();
	config.index = INDEX_CPU_ID;
	rseq_start();
	assert_int_equal(mode(), MODE_CPU_ID);
	assert_non_null(rseq_self());
	assert_int_equal(anchor.id, anchor.rseq_cs - 4);
	assert_true(rseq_current_id() < system_nr_cpus());
}

static void test_mm_cid_mode(void **unused)
{
	(void)unused;
	need_rseq();
	if (feature_size() < FEATURES_MM_CID)
		skip();
	rseq_start();
	assert_int_equal(mode(), MODE_MM_CID);
	assert_int_equal(anchor.id, anchor.rseq_cs + 16);
	assert_true(rseq_current_id() < system_nr_cpus());
	assert_true(rseq_state.fence);
}

/* A second start, though everything looks different, changes nothing. */
static void test_start_is_idempotent(void **unused)
{
	struct anchor first;
	uint32_t first_mode;

	(void)unused;
	rseq_start();
	first = anchor;
	first_mode = mode();
	config.rseq = !config.rseq;
	rseq_start();
	assert_memory_equal(&first, &anchor, sizeof(first));
	assert_int_equal(first_mode, mode());
	/* As if the deciding thread had died right behind its CAS. */
	store_relaxed(&rseq_state.why, NULL); // own
	memset(&anchor, 0, sizeof(anchor));
	rseq_start();
	assert_memory_equal(&first, &anchor, sizeof(first));
}

static pthread_barrier_t race;

static void *racer(void *unused)
{
	struct anchor *mine = unused;

	pthread_barrier_wait(&race);
	rseq_start();
	*mine = anchor;
	return NULL;
}

static void test_start_races(void **unused)
{
	struct anchor seen[NR_RACERS];
	pthread_t threads[NR_RACERS];
	unsigned i, k;

	pthread_barrier_init(&race, NULL, NR_RACERS);
	for (k = 0; k < NR_RACES; k++) {
		reset(unused);
		for (i = 0; i < NR_RACERS; i++)
			pthread_create(&threads[i], NULL, racer, &seen[i]);
		for (i = 0; i < NR_RACERS; i++)
			pthread_join(threads[i], NULL);
		for (i = 0; i < NR_RACERS; i++)
			assert_memory_equal(&seen[i], &anchor, sizeof(anchor));
		assert_int_not_equal(anchor.rseq_cs, 0);
	}
	pthread_barrier_destroy(&race);
}

static void test_old_kernel(void **unused)
{
	(void)unused;
	need_rseq();
	aux_unknown = true;
	config.index = INDEX_MM_CID;
	rseq_start();
	assert_int_equal(mode(), MODE_CPU_ID);
	assert_non_null(strstr(why(), "does not fill mm_cid"));
}

static void test_errno_is_kept(void **unused)
{
	(void)unused;
	aux_unknown = true;
	errno = 12345;
	rseq_start();
	rseq_fence();
	rseq_current_id();
	assert_int_equal(errno, 12345);
}

static void test_fence(void **unused)
{
	int status = -1;
	pid_t child;

	(void)unused;
	rseq_start();
	if (!rseq_state.fence)
		skip();
	assert_true(rseq_fence());
	fake_fail_at(FAKE_FENCE, 1);
	assert_false(rseq_fence());
	child = fork();
	if (!child)
		_exit(rseq_fence() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_fence_refused(void **unused)
{
	(void)unused;
	fake_fail_at(FAKE_REGISTER, 1);
	rseq_start();
	assert_false(rseq_state.fence);
	assert_false(rseq_fence());
	assert_int_equal(fake_calls(FAKE_FENCE), 0);
}

static void test_give_up(void **unused)
{
	(void)unused;
	rseq_start();
	rseq_give_up("direct: for a test");
	assert_direct();
	assert_string_equal(why(), "direct: for a test");
	rseq_start();
	assert_direct();
}

/* cmocka's assertions are for the main thread. */
static const char *failed;
#define must(cond) (failed = (cond) ? failed : #cond)

/* The kernel forgets the thread; libc's area stays where it is. */
static bool unregister(unsigned size)
{
	struct rseq_area *area = area_at(libc_rseq_cs());

	return !call(SYS_rseq, area, size, (void *)UNREGISTER,
		     PERCPU_SIGNATURE);
}

static void *unregistered_thread(void *unused)
{
	static struct rseq_area own;

	if (!unregister(AREA_SIZE))
		return NULL;
	must(!rseq_self());
	must(rseq_current_id() < rseq_state.nr_cpus);
	must(!percpu_pop(0));
	errno = 12345;
	must(rseq_register(&own) == 0);
	must(rseq_register(&own) == -EBUSY);
	must(errno == 12345);
	must(area_cpu_id(&own) < system_nr_cpus());
	call(SYS_rseq, &own, AREA_SIZE, (void *)UNREGISTER, PERCPU_SIGNATURE);
	return unused;
}

static void test_unregistered_thread(void **unused)
{
	static char head[REGION_HEAD_SIZE];
	void *ran = NULL;
	pthread_t thread;

	(void)unused;
	need_rseq();
	config.index = INDEX_CPU_ID;
	rseq_start();
	anchor.base = head;
	failed = NULL;
	assert_int_equal(
		pthread_create(&thread, NULL, unregistered_thread, head), 0);
	pthread_join(thread, &ran);
	if (failed)
		fail_msg("%s", failed);
	if (!ran) /* registered with another size */
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

	check.cpu = area_cpu_id(self);
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

static void test_kernel_aborts(void **unused)
{
	(void)unused;
	need_rseq();
	rseq_start();
	helper_prepare();
	assert_true(rseq_kernel_aborts());
	assert_true(rseq_kernel_aborts());
	assert_true(fake_calls(FAKE_THREAD_START) <= 1);
	assert_int_equal(nr_tasks(), 1);
	assert_int_equal(check_until_learnt(rseq_self()), CHECK_ABORTS);
}

/* An area that the kernel does not know is a kernel that does not abort. */
static void test_kernel_does_not_abort(void **unused)
{
	static struct rseq_area unknown;
	cpu_set_t before;

	(void)unused;
	need_rseq();
	rseq_start();
	sched_getaffinity(0, sizeof(before), &before);
	unknown.cpu_id = area_cpu_id(rseq_self());
	assert_true(bind_to_cpu(unknown.cpu_id));
	assert_int_not_equal(check_kernel(&unknown), CHECK_ABORTS);
	assert_int_equal(check_until_learnt(&unknown), CHECK_FAILS);
	sched_setaffinity(0, sizeof(before), &before);
}

static void test_check_without_threads(void **unused)
{
	(void)unused;
	need_rseq();
	rseq_start();
	store_relaxed(&check.state, CHECK_NEW); // own
	fake_fail_at(FAKE_THREAD_START, 1);
	assert_true(rseq_kernel_aborts());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_release_keys, reset),
		cmocka_unit_test_setup(test_decisions, reset),
		cmocka_unit_test_setup(test_decisions_by_sizes, reset),
		cmocka_unit_test_setup(test_before_start, reset),
		cmocka_unit_test_setup(test_off_by_option, reset),
		cmocka_unit_test_setup(test_libc_did_not_register, reset),
		cmocka_unit_test_setup(test_kernel_refused, reset),
		cmocka_unit_test_setup(test_cpu_id_mode, reset),
		cmocka_unit_test_setup(test_mm_cid_mode, reset),
		cmocka_unit_test_setup(test_old_kernel, reset),
		cmocka_unit_test_setup(test_start_is_idempotent, reset),
		cmocka_unit_test_setup(test_start_races, reset),
		cmocka_unit_test_setup(test_errno_is_kept, reset),
		cmocka_unit_test_setup(test_fence, reset),
		cmocka_unit_test_setup(test_fence_refused, reset),
		cmocka_unit_test_setup(test_give_up, reset),
		cmocka_unit_test_setup(test_unregistered_thread, reset),
		cmocka_unit_test_setup(test_kernel_aborts, reset),
		cmocka_unit_test_setup(test_kernel_does_not_abort, reset),
		cmocka_unit_test_setup(test_check_without_threads, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
