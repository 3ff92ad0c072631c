/* front/heap.h without memory: a life of the heap, from its start on, in which
 * the k-th system call fails, or all from the k-th on. Each answer is a block
 * or NULL, live blocks keep their patterns, and when the system is well again
 * so is the heap.
 *
 * Every life is a process of its own, so that it fails in starting up, too.
 *
 * timeout: 240 */
#include "heap_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#define NR_HELD 240

static struct held {
	char *block;
	size_t size;
} held[NR_HELD];

enum verdict { LIFE_FAILED = 1, LIFE_WITHOUT_FAILURE = 40, LIFE_OK };

/* A child's assert: one line, and the parent sees the status. */
#define must(cond)                                                      \
	do {                                                            \
		if (!(cond)) {                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__,        \
				__LINE__, #cond);                       \
			_exit(LIFE_FAILED);                             \
		}                                                       \
	} while (0)

static bool well; /* nothing may fail any more */

static void keep(unsigned i, void *block, size_t size)
{
	must(block || !well);
	if (!block)
		return;
	must((uintptr_t)block % 16 == 0);
	must(heap_usable_size(block) >= size);
	pattern_set(block, size);
	held[i] = (struct held){ block, size };
}

static void drop(unsigned i)
{
	if (held[i].block)
		must(pattern_is(held[i].block, held[i].size, held[i].size));
	heap_free(held[i].block);
	held[i].block = NULL;
}

static void *zeroed(size_t size)
{
	void *block = heap_alloc_zeroed(size);

	must(!block || all_zero(block, size));
	return block;
}

static void grow(unsigned i, size_t size)
{
	size_t old = held[i].size;
	char *block;

	if (!held[i].block)
		return;
	block = heap_realloc(held[i].block, size);
	must(block || !well);
	must(pattern_is(block ? block : held[i].block, old,
			block ? min_size(old, size) : old));
	if (block)
		keep(i, block, size);
}

static size_t size_of(unsigned i)
{
	return i % 20 ? 1 + i * 97 % 5000 : UNIT_SIZE * (1 + i % 70);
}

static void allocate(unsigned first)
{
	unsigned i;

	for (i = first; i < NR_HELD; i += 2) {
		drop(i);
		if (i % 7 == 1)
			keep(i, heap_alloc_aligned(size_of(i), 16u << i % 14),
			     size_of(i));
		else if (i % 7 == 2)
			keep(i, zeroed(size_of(i)), size_of(i));
		else
			keep(i, block_alloc(size_of(i)), size_of(i));
	}
}

/* On the n-th of the CPUs that there are: ids appear as this goes on. */
static void go_to_cpu(const cpu_set_t *cpus, unsigned n)
{
	unsigned cpu, seen = 0;
	cpu_set_t one;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cpus) || seen++ != n)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}

static void live(const cpu_set_t *cpus)
{
	unsigned i;

	go_to_cpu(cpus, 0);
	heap_threads_start();
	allocate(0);
	go_to_cpu(cpus, 1);
	allocate(1);
	for (i = 0; i < NR_HELD; i += 3)
		grow(i, size_of(i + 7));
	heap_gate_close();
	for (i = 0; i < NR_HELD; i += 5)
		drop(i);
	heap_gate_open();
	fake_now_ms += 1000000;
	heap_purge(MIB);
	go_to_cpu(cpus, 0);
	for (i = 0; i < NR_HELD; i += 5)
		keep(i, block_alloc(size_of(i)), size_of(i));
	grow(0, 4 * MIB);
	drop(1);
	keep(1, block_alloc(4 * MIB), 4 * MIB);
	grow(0, 9 * MIB);
	fake_now_ms += 1000000;
	for (i = 0; i < NR_HELD; i += 2)
		drop(i);
	heap_purge(0);
}

/* With the system well again everything works, and comes back. */
static void recover(const cpu_set_t *cpus)
{
	unsigned i;

	well = true;
	live(cpus);
	for (i = 0; i < NR_HELD; i++)
		drop(i);
	for (i = 0; i < 4; i++) {
		fake_now_ms += 1000000;
		go_to_cpu(cpus, i % 2);
		heap_purge(0);
	}
	must(stats_now().live_size == 0);
	must(stats_now().nr_large == 0);
	/* A gate that had no fence stays closed, and lanes keep what they
	 * had. */
	if (!has_lanes() || gate_is_open())
		must(stats_now().cached_size == 0 && stats_now().nr_slabs == 0);
	page_heap_check();
}

static int life(unsigned long k, bool all_from)
{
	unsigned long nr_failures;
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	fake_reset();
	config_start();
	config.reclaimer = 0;
	if (all_from)
		fake_fail_from(FAKE_ANY, k);
	else
		fake_fail_at(FAKE_ANY, k);
	live(&cpus);
	nr_failures = fake_failures(FAKE_ANY);
	fake_reset();
	recover(&cpus);
	return nr_failures ? LIFE_OK : LIFE_WITHOUT_FAILURE;
}

static int life_in_child(unsigned long k, bool all_from)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(life(k, all_from));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) < LIFE_WITHOUT_FAILURE)
		fail_msg("call %lu%s fails: status %#x", k,
			 all_from ? " and all after it" : "", status);
	return WEXITSTATUS(status);
}

static unsigned long lives(bool all_from)
{
	unsigned long k = 1;

	while (life_in_child(k, all_from) == LIFE_OK)
		k++;
	return k;
}

static void test_each_call_fails(void **state)
{
	(void)state;
	assert_true(lives(false) > 20);
}

static void test_all_calls_fail_from_one_on(void **state)
{
	(void)state;
	assert_true(lives(true) > 20);
}

static void test_by_cpu_number(void **state)
{
	(void)state;
	setenv("LANEMALLOC_CONF", "index=cpu_id,purge_budget=0", 1);
	assert_true(lives(false) > 20);
	unsetenv("LANEMALLOC_CONF");
}

static void test_direct_and_footers(void **state)
{
	(void)state;
	setenv("LANEMALLOC_CONF", "rseq=off,usable=requested,checks=on", 1);
	assert_true(lives(true) > 10);
	unsetenv("LANEMALLOC_CONF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_all_calls_fail_from_one_on),
		cmocka_unit_test(test_by_cpu_number),
		cmocka_unit_test(test_direct_and_footers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
