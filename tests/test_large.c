/* front/large.h: large blocks grow and shrink in place, move by page tables
 * where that pays, and tell the truth about zeros */
#include "large_fixture.h"
#include "promised.h"

#include "front/large.c"

FIXTURE(done)
{
	fake_reset_quiet();
	store_relaxed(&nr_moves, 0); // own
	all_is_free();
}

TEST(test_block_knows_its_units, NULL, done)
{
	size_t sizes[] = { 1, UNIT_SIZE, UNIT_SIZE + 1, 3 * MIB, 5 * MIB + 7 };

	for (unsigned i = 0; i < 5; i++) {
		void *pointer = large(sizes[i]);
		struct block block = find(pointer);

		assert_int_equal(block.kind, BLOCK_RUN);
		assert_int_equal(block.size, round_up(sizes[i], UNIT_SIZE));
		assert_int_equal(block.nr_units * UNIT_SIZE, block.size);
		assert_ptr_equal(region_addr(block.region, block.unit),
				 pointer);
		memset(pointer, 1, block.size);
		give(pointer);
	}
}

TEST(test_alignment, NULL, done)
{
	void *pointer;
	bool zero;

	for (size_t align = 1; align <= 64 * MIB; align *= 2) {
		pointer = large_alloc(40000, align, &zero);
		assert_non_null(pointer);
		assert_int_equal((uintptr_t)pointer % align, 0);
		give(pointer);
	}
}

TEST(test_shrinks_and_grows_in_place, NULL, done)
{
	char *pointer = large(10 * UNIT_SIZE);
	uint64_t claimed = claimed_size();
	struct block block = find(pointer);

	pattern_set(pointer, block.size);
	assert_true(large_resize(&block, 3 * UNIT_SIZE + 1));
	assert_int_equal(claimed_size(), claimed - 6 * UNIT_SIZE);
	assert_true(pattern_is(pointer, 10 * UNIT_SIZE, 4 * UNIT_SIZE));
	block = find(pointer);
	assert_int_equal(block.nr_units, 4);
	assert_true(large_resize(&block, 4 * UNIT_SIZE));
	assert_int_equal(find(pointer).nr_units, 4);
	assert_true(large_resize(&block, 12 * UNIT_SIZE));
	assert_int_equal(find(pointer).nr_units, 12);
	assert_int_equal(claimed_size(), claimed + 2 * UNIT_SIZE);
	assert_true(pattern_is(pointer, 10 * UNIT_SIZE, 4 * UNIT_SIZE));
	memset(pointer, 0x5a, 12 * UNIT_SIZE);
	page_heap_check();
	give(pointer);
}

/* However large it was, and whatever of it was touched. */
TEST(test_a_huge_tail_goes_by_one_call, NULL, done)
{
	struct block block;
	uint64_t claimed;
	char *pointer;

	need_promise(4096 * MIB);
	pointer = large(3000 * MIB);
	claimed = claimed_size();
	block = find(pointer);
	fake_reset();
	pattern_set(pointer, 3 * MIB);
	assert_true(large_resize(&block, 2 * MIB));
	assert_int_equal(fake_calls(FAKE_PURGE), 1);
	assert_int_equal(claimed_size(), claimed - 2998 * MIB);
	assert_true(pattern_is(pointer, 3 * MIB, 2 * MIB));
	block = find(pointer);
	assert_true(large_resize(&block, 3000 * MIB));
	assert_true(all_zero(pointer + 2 * MIB, MIB));
	give(pointer);
	page_heap_check();
}

TEST(test_growth_that_is_refused_changes_nothing, NULL, done)
{
	char *pointer = large(4 * UNIT_SIZE);
	struct block block = find(pointer);
	size_t all = (size_t)block.region->nr_units * UNIT_SIZE;
	uint64_t claimed = claimed_size();

	/* Somebody holds the unit behind. */
	assert_true(page_heap_try_extend(block.region, block.unit, 4, 1));
	assert_false(large_resize(&block, 5 * UNIT_SIZE));
	page_heap_give(block.region, block.unit + 4, 1);
	/* Beyond the region, and far beyond what a unit count holds. */
	assert_false(large_resize(&block, all));
	assert_false(large_resize(&block, PTRDIFF_MAX));
	/* The system gives no memory for it. */
	fake_fail_from(FAKE_MAP, 1);
	assert_false(large_resize(&block, all / 2));
	assert_true(fake_failures(FAKE_MAP) > 0);
	fake_fail_from(FAKE_MAP, 0);
	assert_int_equal(find(pointer).nr_units, 4);
	assert_int_equal(claimed_size(), claimed);
	page_heap_check();
	give(pointer);
}

/* Moves `size` bytes; how many moves of page tables that took. */
static unsigned long move(size_t size)
{
	char *from = large(size), *to = large(size);
	unsigned long before = fake_calls(FAKE_MOVE);

	pattern_set(from, size);
	memset(to, 0xee, round_up(size, UNIT_SIZE));
	large_move(to, from, size);
	assert_true(pattern_is(to, size, size));
	/* Still there: its holder frees it. */
	memset(from, 1, size);
	assert_true(pattern_is(to, size, size));
	give(from);
	give(to);
	return fake_calls(FAKE_MOVE) - before;
}

TEST_FIRST(test_moves_page_tables_above_the_threshold, NULL, done)
{
	assert_int_equal(move(UNIT_SIZE), 0);
	assert_int_equal(move(MOVE_SIZE_LEAST - 1), 0);
	assert_int_equal(load_relaxed(&nr_moves), 0); // own
	assert_int_equal(move(MOVE_SIZE_LEAST + 7000), 1);
	assert_int_equal(load_relaxed(&nr_moves), 1); // own
	assert_int_equal(move(MOVE_SIZE_LEAST), 1);
}

TEST(test_copies_where_tables_cannot_move, NULL, done)
{
	fake_fail_from(FAKE_MOVE, 1);
	assert_int_equal(move(MOVE_SIZE_LEAST + 4097), 1);
	assert_int_equal(fake_failures(FAKE_MOVE), 1);
	assert_int_equal(load_relaxed(&nr_moves), 0); // own
}

TEST(test_moves_are_not_for_ever, NULL, done)
{
	store_relaxed(&nr_moves, MOVES_MOST); // own
	assert_int_equal(move(2 * MOVE_SIZE_LEAST), 0);
	assert_int_equal(move(MOVE_SIZE_LEAST), 0);
}

TEST(test_realloc_moves_a_blocked_block, NULL, done)
{
	size_t size = 6 * MIB;
	char *pointer = large(size), *to;
	struct block block = find(pointer);

	for (unsigned refused = 0; refused < 2; refused++) {
		block = find(pointer);
		pattern_set(pointer, size);
		assert_true(page_heap_try_extend(block.region, block.unit,
						 block.nr_units, 1));
		fake_fail_at(FAKE_MOVE, refused);
		to = heap_realloc(pointer, 2 * size);
		assert_non_null(to);
		assert_ptr_not_equal(to, pointer);
		assert_true(pattern_is(to, size, size));
		page_heap_give(block.region, block.unit + block.nr_units, 1);
		pointer = to;
		size *= 2;
	}
	assert_int_equal(fake_calls(FAKE_MOVE), 2);
	assert_int_equal(fake_failures(FAKE_MOVE), 1);
	heap_free(pointer);
}

TEST(test_zero_is_true, NULL, done)
{
	unsigned nr_zero = 0, round;
	size_t size;
	char *pointer;
	bool zero;

	for (round = 0; round < 40; round++) {
		size = (1 + round * 7 % 13) * UNIT_SIZE;
		pointer = large_alloc(size, 16, &zero);
		assert_non_null(pointer);
		if (zero)
			assert_true(all_zero(pointer, size));
		nr_zero += zero;
		/* Recycled at once: not zero, and not said to be. */
		memset(pointer, 0xa5, size);
		give(pointer);
		pointer = large_alloc(size, 16, &zero);
		assert_false(zero && !all_zero(pointer, size));
		give(pointer);
		if (round % 4 == 0)
			heap_purge(0);
	}
	assert_in_range(nr_zero, 10, 30);
}

/* Memory that a move left behind was counted as in use, and is zero. */
TEST(test_zeroed_after_moves, NULL, done)
{
	for (unsigned i = 0; i < 4; i++) {
		char *pointer;

		assert_int_equal(move(MOVE_SIZE_LEAST), 1);
		pointer = heap_alloc_zeroed(MOVE_SIZE_LEAST + i * UNIT_SIZE);
		assert_true(all_zero(pointer, MOVE_SIZE_LEAST + i * UNIT_SIZE));
		memset(pointer, 1, MOVE_SIZE_LEAST);
		heap_free(pointer);
	}
}

TEST(test_of_two_frees_one_faults, NULL, done)
{
	char *pointer = large(5 * UNIT_SIZE);
	struct block block = find(pointer);

	large_free(pointer, &block);
	assert_fault("free of %p: already free", pointer,
		     large_free(pointer, &block));
	assert_fault("free of %p: not a block", pointer, heap_free(pointer));
}

TEST_MAIN(heap_setup_pinned, NULL)
