/* rseq: the decision for a mode, ids, fences, and what the kernel refuses
 *
 * mode.c is part of this program, with libc's registration replaced by
 * variables, so that every decision can be reached. */
#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define __rseq_offset test_rseq_offset
#define __rseq_size test_rseq_size
#define getauxval test_getauxval
#include "cases.h"
#include "cpucache/mode.c"
#undef __rseq_offset
#undef __rseq_size
#undef getauxval
#include "fake_system.h"

extern unsigned long getauxval(unsigned long type);
extern const ptrdiff_t __rseq_offset weak_import;
extern const unsigned int __rseq_size weak_import;

/* What mode.c reads as const symbols of libc's. */
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

static const struct lane_offset nowhere;

static bool libc_has_rseq(void)
{
	return &__rseq_size && __rseq_size;
}

static void need_rseq(void)
{
	if (!libc_has_rseq())
		skip();
}

FIXTURE(reset)
{
	memset(&anchor, 0, sizeof(anchor));
	memset(&rseq_state, 0, sizeof(rseq_state));
	store_relaxed(&decided, UNDECIDED); // own
	aux_unknown = false;
	config.rseq = 1;
	config.index = INDEX_AUTO;
	config.numa = NUMA_OFF; /* of the machine's own nodes */
	libc_offset = &__rseq_offset ? __rseq_offset : 0;
	libc_size = &__rseq_size ? __rseq_size : 0;
	fake_reset();
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

	for (unsigned i = 0; i < REGION_TABLE_WORDS; i++)
		table[i] = REGION_HEAD_SIZE;
	lane_begin(l, (void **)(l + 1) + 1, (void **)(l + 1));
	lane_set_limit(l, 10);
	l->slots[0] = &table;
	store_relaxed(&l->top, l->slots); // own
	memcpy(before, head, sizeof(head));
	anchor.base = head;
	assert_null(percpu_pop(nowhere));
	assert_false(percpu_push(nowhere, head));
	assert_int_equal(percpu_pop_batch(nowhere, objects, 2), 0);
	assert_int_equal(percpu_push_batch(nowhere, objects, 2), 0);
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

TEST(test_release_keys, reset)
{
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

TEST(test_decisions, reset)
{
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

TEST(test_decisions_by_sizes, reset)
{
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
	assert_decides(CPU_ID_NODES, f.nr_nodes = 2);
	assert_decides(MM_CID, f.nr_nodes = 1);
	assert_decides(MM_CID, f.nr_nodes = 2; f.index = INDEX_MM_CID);
	assert_decides(CPU_ID, f.nr_nodes = 2; f.feature_size = 0);
}

TEST(test_off_by_option, reset)
{
	config.rseq = 0;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "option"));
}

TEST(test_libc_did_not_register, reset)
{
	libc_size = 0;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "glibc.pthread.rseq=0"));
}

static __thread struct rseq_area refused = { .cpu_id = UINT32_MAX - 1 };

TEST(test_kernel_refused, reset)
{
	libc_offset = (char *)&refused - percpu_thread_pointer();
	libc_size = 32;
	rseq_start();
	assert_direct();
	assert_non_null(strstr(why(), "no CPU number"));
}

TEST(test_before_start, reset)
{
	assert_null(rseq_self());
	assert_int_equal(rseq_current_id(), 0);
	assert_false(rseq_fence());
	assert_true(rseq_libc_ready());
}

TEST(test_cpu_id_mode, reset)
{
	need_rseq();
	config.index = INDEX_CPU_ID;
	rseq_start();
	assert_int_equal(mode(), MODE_CPU_ID);
	assert_non_null(rseq_self());
	assert_int_equal(anchor.id, anchor.rseq_cs - 4);
	assert_true(rseq_current_id() < system_nr_cpus());
}

TEST(test_mm_cid_mode, reset)
{
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
TEST(test_start_is_idempotent, reset)
{
	struct anchor first;
	uint32_t first_mode;

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

TEST(test_start_races, reset)
{
	struct anchor seen[NR_RACERS];
	pthread_t threads[NR_RACERS];

	pthread_barrier_init(&race, NULL, NR_RACERS);
	for (unsigned k = 0; k < NR_RACES; k++) {
		reset(NULL);
		for (unsigned i = 0; i < NR_RACERS; i++)
			pthread_create(&threads[i], NULL, racer, &seen[i]);
		for (unsigned i = 0; i < NR_RACERS; i++)
			pthread_join(threads[i], NULL);
		for (unsigned i = 0; i < NR_RACERS; i++)
			assert_memory_equal(&seen[i], &anchor, sizeof(anchor));
		assert_int_not_equal(anchor.rseq_cs, 0);
	}
	pthread_barrier_destroy(&race);
}

TEST(test_old_kernel, reset)
{
	need_rseq();
	aux_unknown = true;
	config.index = INDEX_MM_CID;
	rseq_start();
	assert_int_equal(mode(), MODE_CPU_ID);
	assert_non_null(strstr(why(), "does not fill mm_cid"));
}

TEST(test_errno_is_kept, reset)
{
	aux_unknown = true;
	errno = 12345;
	rseq_start();
	rseq_fence();
	rseq_current_id();
	assert_int_equal(errno, 12345);
}

TEST(test_fence, reset)
{
	int status = -1;
	pid_t child;

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

TEST(test_fence_refused, reset)
{
	fake_fail_at(FAKE_REGISTER, 1);
	rseq_start();
	assert_false(rseq_state.fence);
	assert_false(rseq_fence());
	assert_int_equal(fake_calls(FAKE_FENCE), 0);
}

TEST(test_give_up, reset)
{
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
	struct rseq_area *area = rseq_area_at(libc_rseq_cs());

	return !syscall(SYS_rseq, area, size, UNREGISTER, PERCPU_SIGNATURE);
}

static void *unregistered_thread(void *unused)
{
	static struct rseq_area own;

	if (!unregister(RSEQ_AREA_SIZE))
		return NULL;
	must(!rseq_self());
	must(rseq_current_id() < rseq_state.nr_cpus);
	must(!percpu_pop(nowhere));
	errno = 12345;
	must(rseq_register(&own) == 0);
	must(rseq_register(&own) == -EBUSY);
	must(errno == 12345);
	must(rseq_area_cpu_id(&own) < system_nr_cpus());
	syscall(SYS_rseq, &own, RSEQ_AREA_SIZE, UNREGISTER, PERCPU_SIGNATURE);
	return unused;
}

TEST(test_unregistered_thread, reset)
{
	static char head[REGION_HEAD_SIZE];
	void *ran = NULL;
	pthread_t thread;

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

/* The kernel refuses what the library asks for. */
TEST(test_no_release_is_no_broken_one, reset)
{
	fake.release = "6.19.3-test";
	assert_int_equal(kernel_broken(), PERCPU_BROKEN_LAST > 0);
	fake_fail_at(FAKE_RELEASE, 1);
	assert_false(kernel_broken());
	assert_int_equal(fake_failures(FAKE_RELEASE), 1);
}

/* As many ids as the thread may use CPUs; one where the kernel does not say. */
TEST(test_ids_of_direct_mode, reset)
{
	cpu_set_t mask;

	config.rseq = 0;
	sched_getaffinity(0, sizeof(mask), &mask);
	rseq_start();
	assert_int_equal(rseq_state.nr_cpus, CPU_COUNT(&mask));
	reset(NULL);
	config.rseq = 0;
	fake_fail_at(FAKE_USABLE_CPUS, 1);
	rseq_start();
	assert_int_equal(fake_failures(FAKE_USABLE_CPUS), 1);
	assert_int_equal(rseq_state.nr_cpus, 1);
	assert_direct();
}

TEST(test_registration_is_refused, reset)
{
	static struct rseq_area own;

	errno = 12345;
	fake_fail_at(FAKE_RSEQ, 1);
	assert_int_equal(rseq_register(&own), -EINVAL);
	assert_int_equal(errno, 12345);
	assert_int_equal(own.cpu_id, 0);
}

TEST(test_binding_to_no_cpu, reset)
{
	assert_int_equal(system_bind_to_cpu(1 << 20), -EINVAL);
	fake_fail_at(FAKE_BIND, 1);
	assert_int_equal(system_bind_to_cpu(0), -EINVAL);
}

TEST_MAIN(NULL, NULL)
