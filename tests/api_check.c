/* modes: all no-qemu */
/* timeout: 240 */
/* lanemalloc_check() with checks=full beside threads that allocate and free:
 * what is right is no damage, what is inaccessible no fault */
#include "expect.h"

#define NR_THREADS 2
#define NR_CHECKS 40
#define NR_BLOCKS 16

static _Atomic(bool) is_over;

static size_t any_size(uint64_t *state)
{
	uint64_t n = random_next(state);

	return n % 6 ? 60000 + n / 8 % 400000 : 100 + n / 8 % 30000;
}

static void *churn(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	char *kept[NR_BLOCKS] = { 0 };

	while (!is_over) {
		unsigned at = (unsigned)(random_next(&state) % NR_BLOCKS);

		free(kept[at]);
		kept[at] = malloc(any_size(&state));
		must(kept[at]);
		memset(kept[at], 1, 50);
	}
	free_each(kept);
	return NULL;
}

TEST_ROLE(threads, "checks=full", "checks=full,large_guard=all,quarantine=1m",
	  "checks=full,check_stacks=0,quarantine=64k")
{
	pthread_t threads[NR_THREADS];

	threads_start(threads, NR_THREADS, churn);
	for (unsigned i = 0; i < NR_CHECKS; i++)
		LANE(lanemalloc_check)();
	is_over = true;
	threads_join(threads, NR_THREADS);
}

/* Who frees a pointer that is none of a block is named, and the block that it
 * points into, if it does. */
static void stray_check(const char *name, unsigned nr_made)
{
	role_ends(name, "checks=full");
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(lines_of(child.err, "called by:"), 1);
	assert_int_equal(lines_of(child.err, "allocated by:"), nr_made);
	assert_int_equal(lines_of(child.err, "it lies in: "), nr_made);
	assert_true(lines_of(child.err, "api_check+0x") > nr_made);
}

static void free_inside(size_t size, size_t at)
{
	char *block = malloc(size);

	free(opaque(block + at));
}

ROLE(free_in_small)
{
	free_inside(100, 8);
}

ROLE(free_in_medium)
{
	free_inside(100000, 65536);
}

ROLE(free_in_large)
{
	free_inside(1 << 20, 65536);
}

ROLE(free_local)
{
	char local[100] = "";

	free(opaque(&local[0]));
}

TEST_LANE(test_strays)
{
	stray_check("free_in_small", 1);
	stray_check("free_in_medium", 1);
	stray_check("free_in_large", 0);
	stray_check("free_local", 0);
}

API_MAIN(NULL, NULL)
