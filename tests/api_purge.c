/* modes: all */
/* lanemalloc_purge and malloc_trim: freed memory is the system's again */
#include "expect.h"
#include "../stress/harness/memory.h"

static char **blocks;
static size_t nr_blocks;

static void take(size_t total, size_t size)
{
	nr_blocks = total / size;
	blocks = malloc(nr_blocks * sizeof(*blocks));
	for (size_t i = 0; i < nr_blocks; i++) {
		blocks[i] = malloc(size);
		must(blocks[i]);
		memset(blocks[i], 1, size);
	}
}

static void give(void)
{
	for (size_t i = 0; i < nr_blocks; i++)
		free(blocks[i]);
	free(blocks);
}

static void check_purge(size_t size)
{
	size_t before, full, after;

	LANE(lanemalloc_purge)();
	before = memory_now().resident;
	take(48 * MIB, size);
	full = memory_now().resident;
	assert_true(full >= before + 40 * MIB);
	give();
	keeping_errno(LANE(lanemalloc_purge)());
	after = memory_now().resident;
	if (after > before + 6 * MIB)
		print_message("blocks of %zu: %zu MiB stay\n", size,
			      (after - before) / MIB);
	assert_true(after <= before + 6 * MIB);
	assert_true(stats_now().free_dirty_size <= 2 * MIB);
}

TEST_LANE(test_purge)
{
	static const size_t sizes[] = {
		16, 64, 200, 1024, 5000, 20000, 32768, 40000, 1 << 20, 48 << 20,
	};

	need_kernel();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_purge(sizes[i]);
}

/* One locked page holds its neighbours back, and nothing else. */
TEST_LANE(test_locked_page)
{
	size_t before, page = (size_t)sysconf(_SC_PAGESIZE);
	char *locked;

	need_kernel();
	LANE(lanemalloc_purge)();
	before = memory_now().resident;
	take(64 * MIB, 65536);
	locked = (char *)(((uintptr_t)blocks[nr_blocks / 2] + page) &
			  ~(uintptr_t)(page - 1));
	if (mlock(locked, page))
		skip();
	give();
	LANE(lanemalloc_purge)();
	assert_true(memory_now().resident <= before + 8 * MIB);
	assert_true(stats_now().free_dirty_size <= 4 * MIB);
	assert_true(stats_now().free_dirty_size > 0);
	must(!munlock(locked, page));
	LANE(lanemalloc_purge)();
	assert_int_equal(stats_now().free_dirty_size, 0);
}

/* A huge block goes back as it is freed, whatever of it was touched. */
TEST_LANE(test_huge_block)
{
	struct lanemalloc_stats before, after;
	size_t i, full, size = 1024 * MIB;
	char *p;

	need_kernel();
	LANE(lanemalloc_purge)();
	before = stats_now();
	p = malloc(size);
	must(p);
	for (i = 0; i < size; i += 16 * MIB)
		p[i] = 1;
	full = memory_now().resident;
	free(p);
	after = stats_now();
	assert_true(memory_now().resident < full);
	/* One, or where the budget has learnt to keep much, one for 128 MiB. */
	assert_true(after.nr_purges - before.nr_purges <=
		    size / (128 * MIB) + 2);
	assert_true(after.free_dirty_size <= after.budget_size);
	p = calloc(1, size);
	must(p);
	for (i = 0; i < size; i += 16 * MIB)
		must(!p[i]);
	free(p);
}

/* It says how much it gave. */
TEST_LANE(test_result)
{
	struct lanemalloc_stats before, after;
	size_t given;
	char *p;

	LANE(lanemalloc_purge)();
	before = stats_now();
	p = malloc(3 * MIB);
	memset(p, 1, 3 * MIB);
	free(p);
	given = LANE(lanemalloc_purge)();
	after = stats_now();
	assert_true(after.purged_size - before.purged_size >= 3 * MIB);
	assert_true(given <= after.purged_size - before.purged_size);
	assert_true(given >= 3 * MIB);
	assert_true(LANE(lanemalloc_purge)() <= 2 * MIB);
}

/* Purged memory comes back as zeroes and works. */
TEST_LANE(test_reuse)
{
	for (size_t round = 0; round < 4; round++) {
		take(16 * MIB, 3000);
		give();
		LANE(lanemalloc_purge)();
		for (size_t i = 0; i < 500; i++) {
			char *p = calloc(1, 3000 + i * 100);

			assert_true(is_zero(p, 3000 + i * 100));
			memset(p, 0xff, 3000 + i * 100);
			free(p);
		}
	}
}

/* What the program holds is not touched. */
TEST_LANE(test_live_blocks)
{
	static char *live[5000];

	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		live[i] = malloc(i);
		pattern_fill(live[i], i, i);
		if (i % 3 == 0) {
			free(live[i]);
			live[i] = NULL;
		}
	}
	LANE(lanemalloc_purge)();
	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		assert_true(!live[i] || pattern_holds(live[i], i, i));
		free(live[i]);
	}
}

static void *churn(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
		blocks_churn((uintptr_t)&stop, 100, 60000);
	return NULL;
}

/* Purging beside threads that allocate disturbs none of them. */
TEST_LANE(test_beside_threads)
{
	pthread_t threads[3];
	int stop = 0;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, churn, &stop));
	for (size_t i = 0; i < 300; i++)
		LANE(lanemalloc_purge)();
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	threads_join(threads, ARRAY_SIZE(threads));
}

TEST_LANE(test_trim)
{
	size_t before;

	need_kernel();
	malloc_trim(0);
	before = memory_now().resident;
	take(48 * MIB, 500);
	give();
	while (malloc_trim(0))
		;
	assert_true(memory_now().resident <= before + 6 * MIB);
}

TEST_MAIN(NULL, NULL)
