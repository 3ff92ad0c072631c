/* modes: all valgrind */
/* aligned_alloc, memalign, posix_memalign, valloc, pvalloc */
#include "expect.h"

static const size_t sizes[] = {
	0,    1,    15,    16,    17,    100,   1000,   4095,    4096,
	4097, 8192, 20000, 32767, 32768, 32769, 100000, 1 << 20, 3000001,
};

enum function { ALIGNED_ALLOC, MEMALIGN, POSIX_MEMALIGN, NR_FUNCTIONS };

static void *alloc_by(enum function function, size_t align, size_t size)
{
	void *p = NULL;

	switch (function) {
	case ALIGNED_ALLOC:
		return aligned_alloc(align, size);
	case MEMALIGN:
		return memalign(align, size);
	default:
		if (align < sizeof(void *))
			align = sizeof(void *);
		assert_int_equal(posix_memalign(&p, align, size), 0);
		return p;
	}
}

/* All sizes at one alignment, alive at once. */
static void check_alignment(enum function function, size_t align)
{
	char *blocks[ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		keeping_errno(blocks[i] = alloc_by(function, align, sizes[i]));
		check_block(blocks[i], align, sizes[i]);
		pattern_fill(blocks[i], sizes[i], align + i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		pattern_free(blocks[i], sizes[i], align + i);
		assert_int_equal(errno, 4711);
	}
}

TEST(test_alignments)
{
	for (int f = 0; f < NR_FUNCTIONS; f++)
		for (size_t align = 1; align <= 1 << 24; align *= 2)
			check_alignment(f, align);
}

/* Many small blocks of one alignment must not come in each other's way. */
TEST(test_many)
{
	static char *blocks[400];

	for (size_t align = 16; align <= 16384; align *= 2) {
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
			blocks[i] = memalign(align, i);
			check_block(blocks[i], align, i);
			pattern_fill(blocks[i], i, i);
		}
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
			pattern_free(blocks[i], i, i);
	}
}

TEST(test_then_realloc)
{
	for (size_t align = 16; align <= 1 << 22; align *= 4) {
		for (size_t i = 1; i < ARRAY_SIZE(sizes); i++) {
			size_t n = sizes[i] < 128 ? sizes[i] : 128;
			char *p = aligned_alloc(align, sizes[i]);

			pattern_fill(p, n, i);
			p = realloc(p, sizes[i] * 2 + 1);
			check_block(p, 16, sizes[i] * 2 + 1);
			pattern_free(p, n, i);
		}
	}
}

#define assert_errno(expected, call)               \
	do {                                       \
		errno = 0;                         \
		assert_null(call);                 \
		assert_int_equal(errno, expected); \
	} while (0)

/* libc before 2.38 rounds as memalign() does. */
TEST_LANE(test_aligned_alloc_invalid)
{
	static const size_t invalid[] = {
		0, 3, 24, 48, 65, 1000, 4097, SIZE_MAX, SIZE_MAX - 1,
		SIZE_MAX / 2 + 2, SIZE_MAX / 2, ((size_t)1 << 40) + 1,
	};

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		size_t align = opaque(invalid[i]);

		assert_errno(EINVAL, aligned_alloc(align, 0));
		assert_errno(EINVAL, aligned_alloc(align, 100));
		assert_errno(EINVAL, aligned_alloc(align, 100000));
	}
}

TEST(test_aligned_alloc_any_size)
{
	for (size_t n = 0; n < 1000; n += 13) {
		void *p = aligned_alloc(opaque((size_t)256), n);

		check_block(p, 256, n);
		free(p);
	}
}

TEST(test_memalign_rounds)
{
	for (size_t align = 0; align < 10000; align += 1 + align / 7) {
		size_t rounded = 16;
		void *p = memalign(opaque(align), 100);

		while (rounded < align)
			rounded *= 2;
		check_block(p, rounded, 100);
		free(p);
	}
	assert_errno(EINVAL, memalign(opaque(SIZE_MAX / 2 + 2), 1));
	assert_errno(EINVAL, memalign(opaque(SIZE_MAX), 1));
	assert_errno(ENOMEM, memalign(opaque(SIZE_MAX / 2 + 1), 1));
	assert_errno(ENOMEM, memalign(opaque(SIZE_MAX / 2 - 5), 1));
}

TEST(test_posix_memalign_invalid)
{
	static const size_t invalid[] = {
		0, 1, 2, 4, 3, 6, 12, 24, 40, 100, 4104,
		SIZE_MAX, SIZE_MAX / 2 + 2, SIZE_MAX - 7,
	};
	void *p;

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		p = &p;
		assert_int_equal(posix_memalign(&p, opaque(invalid[i]), 64),
				 EINVAL);
		assert_ptr_equal(p, &p);
	}
	p = &p;
	assert_int_equal(posix_memalign(&p, 64, opaque(SIZE_MAX)), ENOMEM);
	assert_ptr_equal(p, &p);
	assert_int_equal(posix_memalign(&p, opaque(SIZE_MAX / 2 + 1), 64),
			 ENOMEM);
	assert_ptr_equal(p, &p);
}

TEST(test_zero_size_unique)
{
	void *blocks[200];

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = alloc_by(i % NR_FUNCTIONS, 32, 0);
		check_block(blocks[i], 32, 0);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(blocks[i], blocks[k]);
	}
	free_each(blocks);
}

TEST(test_page_aligned)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t rounded = (sizes[i] + page - 1) / page * page;
		char *p, *q;

		errno = 4711;
		p = valloc(sizes[i]);
		q = pvalloc(sizes[i]);
		assert_int_equal(errno, 4711);
		check_block(p, page, sizes[i]);
		check_block(q, page, rounded);
		memset(p, 1, sizes[i]);
		memset(q, 2, rounded);
		assert_true(sizes[i] == 0 || p[sizes[i] - 1] == 1);
		free(p);
		free(q);
	}
}

API_MAIN(NULL, NULL)
