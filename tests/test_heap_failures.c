/* front/heap.h without memory: a life of the heap, from its start on, in which
 * the k-th system call fails, or all from the k-th on. Each answer is a block
 * or NULL, live blocks keep their marks, and when the system is well again
 * so is the heap.
 *
 * Every life is a process of its own, so that it fails in starting up, too.
 *
 * And heaps whose last unit is taken: what lies free in a run that is too
 * short for a slab, or in the cache of a CPU that sleeps, serves all the same.
 *
 * timeout: 600 */
#include "../stress/harness/cpus.h"
#include "heap_fixture.h"
#include "slab/fitted_class.h"

#include "capture.h"
#include "slab/bin.h"

#define NR_HELD 240

static struct held {
	char *block;
	size_t size;
} held[NR_HELD];

enum life { LIFE_FAILED = 1, LIFE_WITHOUT_FAILURE = 40, LIFE_OK };

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

/* Marks in a block: all of its first and of its last page, and a byte in each
 * unit between, in another page of each; for each page costs a fault in each
 * life. */
#define MARK_STEP (UNIT_SIZE - 4096 - 61)

/* Where the first page's marks end, and the last one's begin. */
static size_t marks_head(size_t size)
{
	return min_size(size, PATTERN_HEAD);
}

static size_t marks_tail(size_t size)
{
	return max_size(marks_head(size), size - marks_head(size));
}

static void mark(char *block, size_t size)
{
	size_t head = marks_head(size), tail = marks_tail(size);

	pattern_write(block, 0, head, size);
	for (size_t i = head; i < tail; i += MARK_STEP)
		block[i] = (char)pattern_byte(size, i);
	pattern_write(block, tail, size, size);
}

/* The first `kept` bytes of a block that had `size` bytes. */
static bool is_marked(const char *block, size_t size, size_t kept)
{
	size_t head = marks_head(size), tail = marks_tail(size);

	if (!pattern_is_there(block, 0, min_size(kept, head), size))
		return false;
	for (size_t i = head; i < min_size(kept, tail); i += MARK_STEP)
		if (block[i] != (char)pattern_byte(size, i))
			return false;
	return pattern_is_there(block, tail, kept, size);
}

static void keep(unsigned i, void *block, size_t size)
{
	must(block || !well);
	if (!block)
		return;
	must((uintptr_t)block % 16 == 0);
	must(heap_usable_size(block) >= size);
	mark(block, size);
	held[i] = (struct held){ block, size };
}

static void drop(unsigned i)
{
	if (held[i].block)
		must(is_marked(held[i].block, held[i].size, held[i].size));
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
	must(is_marked(block ? block : held[i].block, old,
		       block ? min_size(old, size) : old));
	if (block)
		keep(i, block, size);
}

/* Of the runs some are longer than a hugepage. */
static size_t size_of(unsigned i)
{
	if (i % 20)
		return 1 + i * 97 % 5000;
	return UNIT_SIZE * (1 + (i % 60 ? i % 70 / 7 : i % 70));
}

static void allocate(unsigned first)
{
	for (unsigned i = first; i < NR_HELD; i += 2) {
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

static void live(const cpu_set_t *cpus)
{
	cpus_go(0, cpus, 0);
	heap_threads_start();
	allocate(0);
	cpus_go(0, cpus, 1);
	allocate(1);
	for (unsigned i = 0; i < NR_HELD; i += 3)
		grow(i, size_of(i + 7));
	heap_gate_close();
	for (unsigned i = 0; i < NR_HELD; i += 5)
		drop(i);
	heap_gate_open();
	fake_now_ms += 1000000;
	heap_purge(MIB);
	cpus_go(0, cpus, 0);
	for (unsigned i = 0; i < NR_HELD; i += 5)
		keep(i, block_alloc(size_of(i)), size_of(i));
	grow(0, 4 * MIB);
	drop(1);
	keep(1, block_alloc(4 * MIB), 4 * MIB);
	grow(0, 5 * MIB); /* by moving its pages */
	fake_now_ms += 1000000;
	for (unsigned i = 0; i < NR_HELD; i += 2)
		drop(i);
	heap_purge(0);
}

/* With the system well again everything works, and comes back. */
static void recover(const cpu_set_t *cpus)
{
	well = true;
	live(cpus);
	for (unsigned i = 0; i < NR_HELD; i++)
		drop(i);
	heap_quarantine_flush();
	for (unsigned i = 0; i < 4; i++) {
		fake_now_ms += 1000000;
		cpus_go(0, cpus, i % 2);
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
	must(nr_failures || fake_calls(FAKE_MOVE));
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

static void conf_set(const char *conf)
{
	if (conf)
		setenv("LANEMALLOC_CONF", conf, 1);
	else
		unsetenv("LANEMALLOC_CONF");
}

static unsigned long lives(const char *conf, bool all_from)
{
	unsigned long k = 1;

	conf_set(conf);
	while (life_in_child(k, all_from) == LIFE_OK)
		k++;
	return k;
}

TEST(test_each_call_fails)
{
	assert_true(lives(NULL, false) > 20);
}

TEST(test_all_calls_fail_from_one_on)
{
	assert_true(lives(NULL, true) > 20);
}

TEST(test_by_cpu_number)
{
	assert_true(lives("index=cpu_id,purge_budget=0", false) > 20);
}

TEST(test_direct_and_footers)
{
	assert_true(lives("rseq=off,usable=requested,checks=on", true) > 10);
}

/* Heaps without a free unit */

#define NR_UNITS 8192

static struct run units[NR_UNITS];
static unsigned nr_units;

/* From here on the system gives nothing, and each unit is taken. */
static void use_up_units(void)
{
	fake_fail_from(FAKE_MAP, 1);
	while (page_heap_take(1, 1, 0, &units[nr_units]))
		must(++nr_units < NR_UNITS);
}

/* The first of n units in a row, from the at-th on. */
static unsigned row_of_units(unsigned n, unsigned at)
{
	unsigned i, k;

	for (i = at; i + n <= nr_units; i++) {
		for (k = 1; k < n; k++)
			if (units[i + k].unit != units[i].unit + k)
				break;
		if (k >= n)
			return i;
	}
	must(!"that many units in a row");
	return 0;
}

/* n of them are free again, in one run, and its neighbours are not. */
static void free_units(unsigned n)
{
	static unsigned from;
	unsigned i = row_of_units(n, from);

	page_heap_give(units[i].region, units[i].unit, n);
	from = i + n + 1;
}

static void short_life_begins(void)
{
	fake_reset_quiet();
	must(config_start());
	config.reclaimer = 0;
	must(heap_start());
}

static void serves_once(void *block, void *second, size_t size, size_t usable)
{
	must(block && !second);
	must(heap_usable_size(block) == usable);
	pattern_set(block, size);
	must(pattern_is(block, size, size));
	heap_free(block);
}

/* Two units are no slab of 57,344 bytes, which has seven, but a block. */
static void medium_size_in_a_short_run(void)
{
	const size_t size = 57000;
	uint64_t before;
	void *block;

	short_life_begins();
	keep(0, block_alloc(100), 100);
	use_up_units();
	before = heap_nr_out_of_memory();
	must(!block_alloc(size) && !heap_alloc_aligned(size, 4096));
	must(heap_nr_out_of_memory() == before + 2);
	free_units(1);
	must(!block_alloc(size));
	free_units(2);
	block = block_alloc(size);
	serves_once(block, block_alloc(size), size, 2 * UNIT_SIZE);
	block = heap_alloc_aligned(size, 4096);
	must((uintptr_t)block % 4096 == 0);
	serves_once(block, heap_alloc_aligned(size, 4096), size, 2 * UNIT_SIZE);
	drop(0);
}

/* A run is wished for, but only an object is free: zeroed, and growing. */
static void object_instead_of_a_run(void)
{
	const size_t size = 49000;

	short_life_begins();
	keep(0, block_alloc(size), size);
	keep(1, block_alloc(size), size);
	keep(2, block_alloc(20000), 20000);
	use_up_units();
	must(!zeroed(size));
	drop(1);
	keep(1, zeroed(size), size);
	must(held[1].block && !zeroed(size));
	drop(1);
	held[1].block = NULL;
	grow(2, size);
	must(held[2].size == size);
}

/* One unit is no slab of 20,480 bytes, which has five, but a block. */
static void small_size_in_a_unit(void)
{
	void *block;

	short_life_begins();
	keep(0, block_alloc(100), 100);
	use_up_units();
	must(!block_alloc(20000));
	free_units(1);
	block = block_alloc(20000);
	serves_once(block, block_alloc(20000), 20000, UNIT_SIZE);
	block = heap_alloc_aligned(20000, 4096);
	serves_once(block, NULL, 20000, UNIT_SIZE);
}

/* A class was made for the size since: what the old one has free serves. */
static void size_that_was_taken_over(void)
{
	const size_t size = 1096;

	short_life_begins();
	keep(0, block_alloc(size), size);
	fitted_class_fill(NR_FIXED_CLASSES, SIZE_CLASS_1280, 1152);
	keep(1, block_alloc(20000), 20000);
	use_up_units();
	must(size_class_of(size) == NR_FIXED_CLASSES);
	keep(2, block_alloc(size), size);
	must(heap_usable_size(held[2].block) == 1280);
}

/* Slabs that are empty below a thousand that are not. */
static void empty_slabs_deep_in_a_list(void)
{
	enum { N = 1000 * 32 };
	static void *objects[N];
	unsigned i, id;

	short_life_begins();
	id = rseq_current_id();
	for (i = 0; i < N;)
		i += bin_take(id, SIZE_CLASS_1024, objects + i, N - i);
	for (i = 0; i < N; i += 32)
		bin_give(id, objects + i, 1);
	for (i = 32; i < 32 * 100; i += 32)
		bin_give(id, objects + i + 1, 31);
	use_up_units();
	must(block_alloc(100));
}

/* The objects of a slab, but nr_live, lie in the cache of a CPU where nobody
 * runs. */
static void cached_elsewhere(size_t size, unsigned nr_live)
{
	cpu_set_t cpus;
	unsigned nr, i;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	short_life_begins();
	nr = size_classes[size_class_aligned(size, 16)].nr_objects;
	cpus_go(0, &cpus, 1);
	keep(NR_HELD - 1, block_alloc(3000), 3000);
	cpus_go(0, &cpus, 0);
	for (i = 0; i < nr; i++)
		keep(i, block_alloc(size), size);
	for (i = nr_live; i < nr; i++)
		drop(i);
	cpus_go(0, &cpus, 1);
	use_up_units();
	must(!can_drain() || block_alloc(size));
}

static void small_size_cached_elsewhere(void)
{
	cached_elsewhere(1000, 0);
}

static void rest_of_a_slab_cached_elsewhere(void)
{
	cached_elsewhere(1000, 1);
}

static void medium_size_cached_elsewhere(void)
{
	cached_elsewhere(65000, 0);
}

static void short_life(const char *conf, void (*life)(void))
{
	conf_set(conf);
	assert_int_equal(run_in_child(life), 0);
}

TEST(test_medium_size_in_a_short_run)
{
	short_life(NULL, medium_size_in_a_short_run);
	short_life("rseq=off", medium_size_in_a_short_run);
}

TEST(test_the_last_memory_is_found)
{
	short_life(NULL, object_instead_of_a_run);
	short_life(NULL, small_size_in_a_unit);
	short_life(NULL, size_that_was_taken_over);
	short_life(NULL, empty_slabs_deep_in_a_list);
	short_life("rseq=off", object_instead_of_a_run);
	short_life("rseq=off", small_size_in_a_unit);
}

TEST(test_caches_are_drained_first)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (CPU_COUNT(&cpus) < 2)
		skip();
	short_life("index=cpu_id", small_size_cached_elsewhere);
	short_life("index=cpu_id", rest_of_a_slab_cached_elsewhere);
	short_life("index=cpu_id", medium_size_cached_elsewhere);
}

TEST_MAIN(NULL, NULL)
