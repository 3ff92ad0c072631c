/* modes: all valgrind */
/* malloc, calloc, free: sizes, alignment, errno, limits, zeroes, overlap */
#include "expect.h"

static void check_size(size_t n)
{
	char *p;

	errno = 4711;
	p = malloc(n);
	check_block(p, 16, n);
	if (n)
		p[n / 2] = 1;
	pattern_fill(p, n, n);
	pattern_free(p, n, n);
	assert_int_equal(errno, 4711);
}

TEST(test_every_size)
{
	for (size_t n = 0; n <= 70000; n++)
		check_size(n);
}

TEST(test_large_sizes)
{
	static const size_t sizes[] = {
		100000,         (1 << 20) - 1,  1 << 20,       (1 << 20) + 1,
		(2 << 20) - 16, 2 << 20,        (2 << 20) + 1, 3000001,
		33 << 20,       (64 << 20) - 1, 128 << 20,     (300 << 20) + 5,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_size(sizes[i]);
}

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t x = *(uintptr_t const *)a, y = *(uintptr_t const *)b;

	return x < y ? -1 : x > y;
}

/* Blocks of one size, all alive, lie at least `apart` bytes apart. */
static void check_apart(char **blocks, size_t n, size_t apart)
{
	qsort(blocks, n, sizeof(blocks[0]), compare_pointers);
	for (size_t i = 1; i < n; i++)
		assert_true(blocks[i] >= blocks[i - 1] + apart);
}

TEST(test_unique)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 1024, 5000, 40000 };
	static char *blocks[2000];

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
			blocks[i] = malloc(sizes[k]);
			assert_non_null(blocks[i]);
		}
		check_apart(blocks, ARRAY_SIZE(blocks), sizes[k]);
		free_each(blocks);
	}
}

TEST(test_zero_size)
{
	static char *blocks[3000];

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		errno = 4711;
		blocks[i] = i % 3 == 0   ? malloc(opaque((size_t)0))
			    : i % 3 == 1 ? calloc(opaque((size_t)0), 8)
					 : calloc(8, opaque((size_t)0));
		assert_non_null(blocks[i]);
		assert_true(is_aligned(blocks[i], 16));
		assert_int_equal(errno, 4711);
	}
	check_apart(blocks, ARRAY_SIZE(blocks), 16);
	free_each(blocks);
}

TEST(test_free_null)
{
	keeping_errno(free(opaque((void *)NULL)));
}

static void check_refused(size_t n)
{
	void *block = malloc(100), *untouched = &block;

	pattern_fill(block, 100, 1);
	assert_no_memory(malloc(n));
	assert_no_memory(calloc(1, n));
	assert_no_memory(calloc(n, 1));
	assert_no_memory(realloc(NULL, n));
	assert_no_memory(realloc(opaque(block), n));
	assert_no_memory(aligned_alloc(16, n));
	assert_no_memory(aligned_alloc(64, n));
	assert_no_memory(aligned_alloc(1 << 20, n));
	assert_no_memory(memalign(64, n));
	assert_no_memory(memalign(1, n));
	assert_no_memory(valloc(n));
	assert_no_memory(pvalloc(n));
	assert_int_equal(posix_memalign(&untouched, 64, n), ENOMEM);
	assert_ptr_equal(untouched, &block);
	pattern_free(block, 100, 1);
}

TEST(test_too_large)
{
	static const size_t more[] = {
		1, 2, 15, 16, 17, 4096, 32768, (size_t)1 << 40,
		(size_t)PTRDIFF_MAX - 65536, (size_t)PTRDIFF_MAX - 4096,
		(size_t)PTRDIFF_MAX - 16, (size_t)PTRDIFF_MAX - 15,
		(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
	};

	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		check_refused(opaque((size_t)PTRDIFF_MAX + more[i]));
	/* within the limit, and above it once they are rounded */
	check_refused(opaque((size_t)PTRDIFF_MAX));
	check_refused(opaque((size_t)PTRDIFF_MAX - 1));
	check_refused(opaque((size_t)PTRDIFF_MAX - 20));
	check_refused(opaque((size_t)PTRDIFF_MAX - 4000));
}

TEST(test_calloc_overflow)
{
	static const size_t pairs[][2] = {
		{ SIZE_MAX, SIZE_MAX },
		{ SIZE_MAX / 2, 3 },
		{ SIZE_MAX / 2 + 1, 2 },
		{ SIZE_MAX / 16 + 1, 16 },
		{ (size_t)1 << 32, (size_t)1 << 32 },
		{ ((size_t)1 << 32) + 1, ((size_t)1 << 32) - 1 },
		{ (size_t)PTRDIFF_MAX / 8 + 1, 8 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_no_memory(calloc(opaque(pairs[i][0]), pairs[i][1]));
		assert_no_memory(calloc(opaque(pairs[i][1]), pairs[i][0]));
	}
}

/* A few blocks of size n are dirtied and freed, then as many are asked for
 * again as zeroes. */
static void check_zeroed(size_t n)
{
	char *blocks[4];

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(n);
		assert_non_null(blocks[i]);
		memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
	}
	free_each(blocks);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		errno = 4711;
		blocks[i] = i % 2 ? calloc(1, n) : calloc(n, 1);
		assert_non_null(blocks[i]);
		assert_true(is_aligned(blocks[i], 16));
		assert_true(is_zero(blocks[i], n));
		assert_int_equal(errno, 4711);
	}
	free_each(blocks);
}

TEST(test_calloc_zeroes)
{
	for (size_t n = 0; n <= 1100; n++)
		check_zeroed(n);
	for (size_t n = 1100; n <= 70000; n += 251)
		check_zeroed(n);
	check_zeroed(MIB);
	check_zeroed(5 * MIB + 1);
	check_zeroed(20 * MIB);
	for (size_t n = 200; n <= 2 * MIB; n *= 2)
		check_zeroed(n);
}

struct live {
	char *block;
	size_t size;
	uint64_t seed;
};

static struct live live[6000];

static int compare_live(const void *a, const void *b)
{
	const struct live *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* No two live blocks share a byte of what malloc_usable_size() grants. */
static void check_overlap(void)
{
	static struct live sorted[ARRAY_SIZE(live)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		if (!live[i].block)
			continue;
		sorted[n].block = live[i].block;
		sorted[n].size = malloc_usable_size(live[i].block);
		assert_true(sorted[n++].size >= live[i].size);
	}
	qsort(sorted, n, sizeof(sorted[0]), compare_live);
	for (size_t i = 1; i < n; i++)
		assert_true(sorted[i].block >=
			    sorted[i - 1].block + sorted[i - 1].size);
}

static size_t random_size(uint64_t *random)
{
	uint64_t r = random_next(random);

	switch (r % 64) {
	case 0:
		return (r >> 8) % (1 << 20);
	case 1 ... 4:
		return (r >> 8) % 70000;
	case 5 ... 15:
		return (r >> 8) % 4096;
	default:
		return (r >> 8) % 300;
	}
}

static void live_replace(struct live *slot, uint64_t *random)
{
	size_t size = random_size(random);

	if (slot->block)
		assert_true(pattern_holds(slot->block, slot->size, slot->seed));
	if (slot->block && random_next(random) % 4 == 0) {
		size_t kept = size < slot->size ? size : slot->size;

		slot->block = realloc(slot->block, size + 1);
		assert_non_null(slot->block);
		assert_true(pattern_holds(slot->block, kept < 128 ? kept : 128,
					  slot->seed));
		slot->size = size + 1;
	} else {
		free(slot->block);
		slot->block = size % 2 ? malloc(size) : calloc(1, size);
		slot->size = size;
	}
	assert_non_null(slot->block);
	slot->seed = random_next(random);
	pattern_fill(slot->block, slot->size, slot->seed);
}

TEST(test_overlap)
{
	uint64_t random = 88172645463325252ull;

	for (size_t i = 0; i < 200000; i++) {
		size_t k = random_next(&random) % ARRAY_SIZE(live);

		live_replace(&live[k], &random);
		if (i % 40000 == 39999)
			check_overlap();
	}
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		free(live[i].block);
}

API_MAIN(NULL, NULL)
