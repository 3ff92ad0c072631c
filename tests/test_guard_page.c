/* pageheap/guard_page.h: large blocks with an inaccessible last page, whatever
 * the kernel refuses */
#include "large_fixture.h"

#include "pageheap/guard_page.h"

#define SIZE (20 * UNIT_SIZE + 1) /* 21 units, all but a byte of slack */

static int setup(void **state)
{
	int result = heap_setup(state);

	config.large_guard = LARGE_GUARD_AUTO;
	return result;
}

FIXTURE(done)
{
	fake_reset_quiet();
	config.large_guard = LARGE_GUARD_AUTO;
	page_heap_purge(0, SIZE_MAX);
}

static bool kernel_guards(void)
{
	char *pointer = large(SIZE);
	bool is_guarded = find(pointer).size % UNIT_SIZE;

	give(pointer);
	page_heap_purge(0, SIZE_MAX);
	return is_guarded;
}

TEST_WHERE(kernel_guards(), fresh_blocks_have_one, setup, done)
{
	unsigned long calls;
	char *pointer = large(SIZE);

	assert_int_equal(find(pointer).size,
			 21 * UNIT_SIZE - system_page_size());
	memset(pointer, 1, find(pointer).size);
	give(pointer);
	/* It stays for the next block that ends there, without a call. */
	calls = fake_calls(FAKE_GUARD) + fake_calls(FAKE_UNGUARD);
	pointer = large(SIZE);
	assert_int_equal(find(pointer).size,
			 21 * UNIT_SIZE - system_page_size());
	assert_int_equal(fake_calls(FAKE_GUARD) + fake_calls(FAKE_UNGUARD),
			 calls);
	give(pointer);
	/* And goes for one that needs the page. */
	pointer = large(21 * UNIT_SIZE);
	assert_int_equal(find(pointer).size, 21 * UNIT_SIZE);
	assert_int_equal(fake_calls(FAKE_UNGUARD), 1);
	memset(pointer, 1, 21 * UNIT_SIZE);
	give(pointer);
}

TEST(resident_blocks_have_none, setup, done)
{
	char *pointer = large(21 * UNIT_SIZE);
	unsigned long calls = fake_calls(FAKE_GUARD);

	memset(pointer, 1, 21 * UNIT_SIZE);
	give(pointer);
	pointer = large(SIZE);
	assert_int_equal(fake_calls(FAKE_GUARD), calls);
	assert_int_equal(find(pointer).size, 21 * UNIT_SIZE);
	give(pointer);
}

TEST(a_refused_guard_is_none, setup, done)
{
	char *pointer;

	fake_fail_from(FAKE_GUARD, 1);
	pointer = large(SIZE);
	assert_int_equal(find(pointer).size, 21 * UNIT_SIZE);
	memset(pointer, 1, 21 * UNIT_SIZE);
	give(pointer);
}

/* Units whose guard stays are not handed out, nor lost. */
TEST_WHERE(kernel_guards(), a_guard_that_stays_keeps_its_units, setup, done)
{
	struct run run;
	char *pointer = large(SIZE);

	assert_true(find(pointer).size % UNIT_SIZE);
	give(pointer);
	fake_fail_from(FAKE_UNGUARD, 1);
	if (page_heap_take(21, 1, 0, &run)) {
		assert_ptr_not_equal(region_addr(run.region, run.unit),
				     pointer);
		page_heap_give(run.region, run.unit, run.nr_units);
	}
	fake_fail_from(FAKE_UNGUARD, 0);
	assert_true(page_heap_take(21, 1, 0, &run));
	assert_ptr_equal(region_addr(run.region, run.unit), pointer);
	page_heap_give(run.region, run.unit, run.nr_units);
}

/* Growth over the guard, and its refusal. */
TEST_WHERE(kernel_guards(), resize_passes_the_guard, setup, done)
{
	char *pointer = large(SIZE);
	struct block block = find(pointer);

	fake_fail_from(FAKE_UNGUARD, 1);
	assert_false(large_resize(&block, block.size + 1));
	assert_false(large_resize(&block, 30 * UNIT_SIZE));
	assert_int_equal(find(pointer).size, block.size);
	fake_fail_from(FAKE_UNGUARD, 0);
	assert_true(large_resize(&block, block.size + 1));
	block = find(pointer);
	assert_int_equal(block.size, 21 * UNIT_SIZE);
	memset(pointer, 1, block.size);
	give(pointer);
}

TEST(all_have_one, setup, done)
{
	static const size_t sizes[] = { 9, 10, 21, 64, 100 };

	config.large_guard = LARGE_GUARD_ALL;
	for (unsigned i = 0; i < 5; i++) {
		char *pointer = large(sizes[i] * UNIT_SIZE);

		assert_int_equal(find(pointer).size,
				 (sizes[i] + 1) * UNIT_SIZE -
					 system_page_size());
		memset(pointer, 1, find(pointer).size);
		give(pointer);
	}
	/* Serves others again. */
	config.large_guard = LARGE_GUARD_OFF;
	for (unsigned i = 0; i < 5; i++) {
		char *pointer = large(sizes[i] * UNIT_SIZE);

		memset(pointer, 1, find(pointer).size);
		give(pointer);
	}
}

TEST_MAIN(NULL, NULL)
