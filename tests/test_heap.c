/* front/heap.h: every size and alignment, what realloc keeps, what zeroed and
 * usable mean, and each message that misuse gets */
#include "held_blocks.h"

#include <malloc.h>

#include "front/foreign.h"
#include "system/sealed.h"

/* Sizes around each class, each power of two and each step of the layers. */
static size_t sizes[1024];
static unsigned nr_sizes;

static void sizes_add(size_t size)
{
	for (size_t at = size ? size - 1 : 0; at <= size + 1; at++)
		if (!nr_sizes || at > sizes[nr_sizes - 1])
			sizes[nr_sizes++] = at;
}

static void sizes_make(void)
{
	nr_sizes = 0;
	sizes_add(0);
	FOR_EACH_CLASS(size_class)
		sizes_add(size_classes[size_class].size);
	for (size_t size = 2 * UNIT_SIZE; size <= 8 * MIB; size *= 2) {
		sizes_add(size);
		sizes_add(size + size / 2);
	}
}

static int setup(void **state)
{
	int status = heap_setup_pinned(state);

	sizes_make();
	sealed.at.libc_usable_size = malloc_usable_size;
	return status;
}

TEST(test_every_size, NULL, done)
{
	for (size_t size = 0; size < 2200; size++)
		hold(block_alloc(size), size);
	held_free();
	for (unsigned i = 0; i < nr_sizes; i++)
		for (unsigned k = 0; k < 3; k++)
			hold(block_alloc(sizes[i]), sizes[i]);
	held_free();
}

/* All usable bytes are the program's, and are as many for all its life. */
TEST(test_usable_is_real, NULL, done)
{
	size_t usable, size;
	unsigned i, size_class;
	char *block;

	for (i = 0; i < nr_sizes; i++) {
		size = sizes[i];
		block = block_alloc(size);
		usable = heap_usable_size(block);
		memset(block, 0xff, usable);
		size_class = size_class_aligned(size, 16);
		if (size_class)
			assert_int_equal(usable, size_classes[size_class].size);
		else
			assert_int_equal(usable, round_up(size, UNIT_SIZE));
		hold(block, usable);
	}
	for (i = 0; i < nr_held; i++)
		assert_int_equal(heap_usable_size(held[i].block), held[i].size);
	held_free();
	assert_int_equal(heap_usable_size(NULL), 0);
}

TEST(test_too_large, NULL, done)
{
	size_t too_large[] = { (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 15,
			       SIZE_MAX };
	uint64_t before = heap_nr_out_of_memory();
	void *block = block_alloc(100);

	pattern_set(block, 100);
	for (unsigned i = 0; i < 3; i++) {
		assert_null(block_alloc(too_large[i]));
		assert_null(heap_alloc_zeroed(too_large[i]));
		assert_null(heap_alloc_aligned(too_large[i], 64));
		assert_null(heap_realloc(block, too_large[i]));
	}
	assert_null(block_alloc(PTRDIFF_MAX));
	assert_null(heap_realloc(block, PTRDIFF_MAX));
	assert_null(heap_alloc_aligned(1, (size_t)1 << 63));
	assert_true(heap_nr_out_of_memory() >= before + 3 * 3 + 3);
	assert_true(pattern_is(block, 100, 100));
	heap_free(block);
}

TEST(test_nothing_has_an_address, NULL, done)
{
	for (unsigned i = 0; i < 100; i++)
		hold(i % 2 ? block_alloc(0) : heap_alloc_zeroed(0), 0);
	for (unsigned i = 0; i < 100; i++)
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(held[i].block, held[k].block);
	held_free();
	heap_free(NULL);
	heap_free_sized(NULL, 10);
}

TEST(test_alignments, NULL, done)
{
	unsigned i, n;
	void *block;

	for (size_t align = 1; align <= 8 * MIB; align *= 2) {
		n = align > MIB ? nr_sizes / 2 : nr_sizes;
		for (i = 0; i < n && sizes[i] <= MIB; i++) {
			block = heap_alloc_aligned(sizes[i], align);
			assert_int_equal((uintptr_t)block % align, 0);
			hold(block, sizes[i]);
		}
		held_free();
	}
}

static uint64_t nr_slow(void)
{
	struct lanemalloc_stats s = stats_now();

	return s.nr_refills + s.nr_aborts + s.nr_direct;
}

/* Aligned medium sizes come from the lane without a slow path, which would
 * count an abort each time. */
TEST_WHERE(has_lanes(), test_aligned_medium_sizes_are_fast, NULL, done)
{
	static const struct {
		size_t size, align;
	} wishes[] = {
		{ 65536, 4096 },   { 40000, 4096 },  { 100000, 64 },
		{ 131072, 32768 }, { 200000, 1024 }, { 33000, 32 },
	};
	enum { ROUNDS = 200 };
	uint64_t before;
	char *block;

	for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		before = nr_slow();
		for (unsigned k = 0; k < ROUNDS; k++) {
			block = heap_alloc_aligned(wishes[i].size,
						   wishes[i].align);
			assert_int_equal((uintptr_t)block % wishes[i].align, 0);
			assert_true(heap_usable_size(block) >= wishes[i].size);
			heap_free(block);
		}
		/* The first one misses; a busy machine aborts some. */
		assert_true(nr_slow() - before < ROUNDS / 2);
	}
}

TEST(test_zeroed, NULL, done)
{
	size_t usable;
	char *block;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < nr_sizes; i++) {
			for (unsigned k = 0; k < 5; k++) {
				block = block_alloc(sizes[i]);
				usable = heap_usable_size(block);
				memset(block, 0xa5, usable);
				hold(block, 0);
			}
			held_free();
			for (unsigned k = 0; k < 5; k++) {
				block = heap_alloc_zeroed(sizes[i]);
				assert_non_null(block);
				assert_true(all_zero(block, sizes[i]));
				hold(block, sizes[i]);
			}
			held_free();
		}
		heap_purge(0);
	}
}

/* Sizes for pairs: a part of them, which crosses every border. */
static void realloc_pair(size_t from, size_t to)
{
	char *block = block_alloc(from), *moved;
	size_t usable = heap_usable_size(block);

	pattern_set(block, from);
	moved = heap_realloc(block, to);
	assert_non_null(moved);
	assert_true(heap_usable_size(moved) >= to);
	assert_true(pattern_is(moved, from, min_size(from, to)));
	if (to <= usable && (to > usable / 2 || usable <= 64))
		assert_ptr_equal(moved, block);
	memset(moved, 1, to);
	heap_free(moved);
}

TEST(test_realloc_keeps, NULL, done)
{
	for (unsigned i = 0; i < nr_sizes; i += 1 + sizes[i] / 2048)
		for (unsigned k = 1; k < nr_sizes; k += 1 + sizes[k] / 1024)
			realloc_pair(sizes[i], sizes[k]);
}

/* Memory that a smaller block does not need is not held for nothing. */
TEST(test_realloc_lets_go, NULL, done)
{
	char *block = block_alloc(30000);

	for (size_t size = 30000; size > 16; size /= 3) {
		block = heap_realloc(block, size);
		assert_true(heap_usable_size(block) <= 2 * size + 64);
	}
	heap_free(block);
	block = block_alloc(10 * MIB);
	block = heap_realloc(block, 5 * MIB);
	assert_int_equal(heap_usable_size(block), 5 * MIB);
	block = heap_realloc(block, 10);
	assert_true(heap_usable_size(block) <= 64);
	heap_free(block);
}

/* A growing one that finds no memory leaves the block as it was. */
TEST(test_realloc_without_memory, NULL, done)
{
	uint64_t before = claimed_size();
	char *block = block_alloc(20 * MIB);
	size_t all;

	all = (size_t)load_relaxed(&regions[0].nr_units) * UNIT_SIZE; // const
	pattern_set(block, 20 * MIB);
	fake_fail_from(FAKE_MAP, 1);
	assert_null(heap_realloc(block, all / 4 * 3));
	assert_true(pattern_is(block, 20 * MIB, 20 * MIB));
	assert_ptr_equal(heap_realloc(block, 19 * MIB), block);
	fake_reset_quiet();
	heap_free(block);
	heap_purge(0);
	assert_true(claimed_size() <= before + MIB);
}

/* usable=requested: the answer is what was asked for, whatever happened. */
static void usable_is(void *block, size_t size)
{
	assert_non_null(block);
	assert_int_equal(heap_usable_size(block), size);
	memset(block, 0xee, size);
	assert_int_equal(heap_usable_size(block), size);
}

TEST(test_usable_is_requested, NULL, done)
{
	size_t size, next;
	char *block;

	option("usable=requested");
	for (unsigned i = 0; i < nr_sizes; i++) {
		size = sizes[i];
		block = block_alloc(size);
		usable_is(block, size);
		heap_free(block);
		block = heap_alloc_zeroed(size);
		assert_true(all_zero(block, size));
		usable_is(block, size);
		for (unsigned k = 1; k < nr_sizes; k += 1 + sizes[k] / 512) {
			next = sizes[k];
			pattern_set(block, size);
			block = heap_realloc(block, next);
			assert_true(pattern_is(block, size,
					       min_size(size, next)));
			usable_is(block, next);
			size = next;
		}
		heap_free(block);
		block = heap_alloc_aligned(size, 256);
		assert_int_equal((uintptr_t)block % 256, 0);
		usable_is(block, size);
		heap_free_sized(block, size);
	}
}

/* Takes all that there is, down to the last object of the smallest size. */
static void use_up(void)
{
	void *block;

	fake_fail_from(FAKE_MAP, 1);
	for (size_t size = 16 * MIB; size >= 1024; size /= 2)
		while ((block = block_alloc(size - 8)))
			hold(block, size - 8);
	while ((block = block_alloc(8)))
		hold(block, 8);
}

static void shrinks_without_memory(void)
{
	char *small = block_alloc(1000), *large = block_alloc(40000);
	uint64_t before;

	use_up();
	before = heap_nr_out_of_memory();
	assert_ptr_equal(heap_realloc(small, 100), small);
	assert_ptr_equal(heap_realloc(large, 200), large);
	assert_int_equal(heap_nr_out_of_memory(), before + 2);
	if (config.usable == USABLE_REQUESTED) {
		usable_is(small, 100);
		usable_is(large, 200);
	}
	assert_null(heap_realloc(small, 2000));
	heap_free(small);
	heap_free(large);
	held_free();
}

TEST(test_shrinking_without_memory_stays, NULL, done)
{
	shrinks_without_memory();
	option("usable=requested");
	shrinks_without_memory();
}

TEST(test_size_hints_are_checked, NULL, done)
{
	char *block;

	/* Without the option a wrong hint does nothing. */
	heap_free_sized(block_alloc(100), 5000);
	heap_free_aligned_sized(block_alloc(100000), 4096, 1);
	option("checks=full");
	heap_free_sized(block_alloc(100), 100);
	heap_free_sized(heap_realloc(block_alloc(100), 97), 97);
	heap_free_sized(heap_realloc(block_alloc(97), 100), 100);
	heap_free_aligned_sized(heap_alloc_aligned(100, 64), 64, 100);
	block = block_alloc(100);
	assert_fault("free_sized of %p: size 101 given, block has 100", block,
		     heap_free_sized(block, 101));
	assert_fault("free_sized of %p: size 99 given, block has 100", block,
		     heap_free_sized(block, 99));
	heap_free_sized(block, 100);
	block = block_alloc(300000);
	assert_fault("free_sized of %p: size 400000 given, block has 300000",
		     block, heap_free_aligned_sized(block, 16, 400000));
	heap_free_sized(block, 300000);
}

/* With checks each double free is seen, at once. */
TEST(test_double_free_is_exact, NULL, done)
{
	char *blocks[20];

	option("checks=1");
	for (unsigned i = 0; i < 20; i++)
		blocks[i] = block_alloc(1000);
	for (unsigned i = 0; i < 19; i++)
		heap_free(blocks[i]);
	for (unsigned i = 0; i < 19; i++)
		assert_fault("free of %p: already free", blocks[i],
			     heap_free(blocks[i]));
	assert_fault("realloc of %p: already free", blocks[3],
		     heap_realloc(blocks[3], 10));
	assert_fault("malloc_usable_size of %p: already free", blocks[3],
		     heap_usable_size(blocks[3]));
	heap_free(blocks[19]);
}

TEST(test_pointers_into_blocks, NULL, done)
{
	char *small = block_alloc(1000), *big = block_alloc(MIB);
	char *head = regions[0].base + UNIT_SIZE;
	char *end = (char *)((uintptr_t)small | (UNIT_SIZE - 1)) - 15;

	assert_fault("free of %p: inside a block", small + 16,
		     heap_free(small + 16));
	assert_fault("free of %p: inside a block", small + 1,
		     heap_free(small + 1));
	assert_fault("realloc of %p: inside a block", small + 512,
		     heap_realloc(small + 512, 1));
	assert_fault("free of %p: inside a block", big + 16,
		     heap_free(big + 16));
	assert_fault("free of %p: inside a block", big + 2 * UNIT_SIZE,
		     heap_free(big + 2 * UNIT_SIZE));
	assert_fault("malloc_usable_size of %p: inside a block", big + 100,
		     heap_usable_size(big + 100));
	assert_fault("free of %p: not a block", head, heap_free(head));
	/* 32 objects of 1,024 bytes fill the slab; 39 of 832 do not. */
	heap_free(small);
	small = block_alloc(832);
	end = (char *)((uintptr_t)small | (UNIT_SIZE - 1)) - 15;
	assert_fault("free of %p: not a block", end, heap_free(end));
	heap_free(small);
	heap_free(big);
	assert_fault("free of %p: not a block", big, heap_free(big));
	end = regions[0].base +
	      ((size_t)load_relaxed(&regions[0].nr_units) - 1) * UNIT_SIZE;
	assert_fault("free of %p: not a block", end, heap_free(end));
}

TEST(test_foreign_blocks_go_home, NULL, done)
{
	uint64_t before = foreign_nr_frees();
	char *block = malloc(100);

	assert_int_equal(heap_usable_size(block), malloc_usable_size(block));
	strcpy(block, "kept");
	block = heap_realloc(block, 100000);
	assert_string_equal(block, "kept");
	heap_free(block);
	heap_free_sized(malloc(10), 10);
	assert_int_equal(foreign_nr_frees(), before + 2);
}

TEST(test_purge_says_what_it_did, NULL, done)
{
	char *block = block_alloc(16 * MIB);

	config.purge_budget = 1 << 30;
	memset(block, 1, 16 * MIB);
	heap_free(block);
	assert_true(heap_purge(4 * MIB) >= 12 * MIB);
	assert_in_range(page_heap_dirty_size(), 1, 4 * MIB);
	assert_true(heap_purge(0) >= MIB);
	assert_int_equal(heap_purge(0), 0);
	assert_int_equal(page_heap_dirty_size(), 0);
}

/* Random sizes and lifetimes, on both paths. */
static void mix(void)
{
	unsigned seed = 7, i, at;

	for (i = 0; i < 200000; i++) {
		struct held *h = &held[at = (unsigned)rand_r(&seed) % 500];

		if (h->block) {
			assert_true(pattern_is(h->block, h->size,
					       min_size(h->size, 100)));
			heap_free(h->block);
		}
		h->size = (size_t)rand_r(&seed) % (i % 50 ? 3000 : 200000);
		h->block = block_alloc(h->size);
		assert_non_null(h->block);
		pattern_set(h->block, min_size(h->size, 100));
		h->size = min_size(h->size, 100);
	}
	for (at = 0; at < 500; at++)
		heap_free(held[at].block);
	memset(held, 0, sizeof(held));
}

TEST(test_mix, NULL, done)
{
	memset(held, 0, sizeof(held));
	mix();
	option("checks=1");
	mix();
	option("checks=fast");
	mix();
}

TEST_MAIN(setup, NULL)
