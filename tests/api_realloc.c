/* modes: all */
/* realloc: in place, contents, failure, and huge blocks without copying */
#include "expect.h"

TEST(test_null_is_malloc)
{
	for (size_t n = 0; n < 3000; n += 7) {
		void *p;

		errno = 4711;
		p = realloc(opaque((void *)NULL), n);
		check_block(p, 16, n);
		assert_int_equal(errno, 4711);
		free(p);
	}
}

TEST(test_zero_frees)
{
	static const size_t sizes[] = { 0, 1, 100, 5000, 40000, 1 << 20 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = malloc(sizes[i]);

		keeping_errno(assert_null(realloc(p, opaque((size_t)0))));
	}
}

/* 64 GiB in all: it succeeds only if each block is really freed. */
TEST(test_zero_frees_memory)
{
	for (size_t i = 0; i < 64; i++) {
		char *p = malloc((size_t)1 << 30);

		assert_non_null(p);
		p[0] = p[(size_t)1 << 29] = 1;
		assert_null(realloc(p, opaque((size_t)0)));
	}
	if (have_lane())
		assert_true(stats_now().live_size < (size_t)1 << 30);
}

TEST(test_up_to_usable_in_place)
{
	for (size_t n = 1; n < 140000; n += n < 2000 ? 1 : n / 16) {
		char *p = malloc(n);
		size_t usable = malloc_usable_size(p);
		size_t step = 1 + (usable - n) / 8;

		pattern_fill(p, n, n);
		for (size_t m = n; m < usable; m += step)
			assert_ptr_equal(realloc(opaque(p), m), p);
		assert_ptr_equal(realloc(opaque(p), usable), p);
		assert_true(pattern_holds(p, n, n));
		assert_int_equal(malloc_usable_size(p), usable);
		free(p);
	}
}

static const size_t pair_sizes[] = {
	1,     15,    16,      17,      64,      100,     128,     129,   1000,
	1024,  4000,  4096,    8193,    16384,   32767,   32768,   32769, 40000,
	65536, 99999, 1 << 18, 1 << 20, 2 << 20, 5 << 20, 9000001,
};

static void check_pair(size_t from, size_t to)
{
	unsigned char *p = malloc(from);
	size_t kept = from < to ? from : to;

	assert_non_null(p);
	for (size_t i = 0; i < from; i += i < 300 ? 1 : 509)
		p[i] = pattern_byte(from, i);
	keeping_errno(p = realloc(p, to));
	check_block(p, 16, to);
	for (size_t i = 0; i < kept; i += i < 300 ? 1 : 509)
		assert_int_equal(p[i], pattern_byte(from, i));
	p[to - 1] = 1;
	free(p);
}

TEST(test_contents)
{
	for (size_t i = 0; i < ARRAY_SIZE(pair_sizes); i++)
		for (size_t k = 0; k < ARRAY_SIZE(pair_sizes); k++)
			check_pair(pair_sizes[i], pair_sizes[k]);
}

/* As buffers grow in programs, with others in the way. */
TEST(test_growth)
{
	unsigned char *p = NULL;
	size_t n = 0;

	while (n < 8 * MIB) {
		size_t more = n + n / 3 + 13;
		void *other = malloc(more);

		p = realloc(p, more);
		assert_non_null(p);
		for (size_t i = n; i < more; i++)
			p[i] = pattern_byte(3, i);
		n = more;
		free(other);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], pattern_byte(3, i));
	free(p);
}

static void check_failing(size_t size, size_t want)
{
	char *p = malloc(size);
	size_t usable = malloc_usable_size(p);

	pattern_fill(p, size, size);
	assert_no_memory(realloc(opaque(p), opaque(want)));
	assert_true(pattern_holds(p, size, size));
	assert_int_equal(malloc_usable_size(p), usable);
	p = realloc(p, size + 1);
	pattern_free(p, size < 128 ? size : 128, size);
}

TEST(test_failing)
{
	static const size_t wants[] = {
		(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
		(size_t)PTRDIFF_MAX - 70000, (size_t)PTRDIFF_MAX / 2,
		SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, (size_t)1 << 56,
	};

	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		check_failing(10, wants[i]);
		check_failing(5000, wants[i]);
		check_failing(50000, wants[i]);
		check_failing(3 << 20, wants[i]);
	}
}

static long page_faults(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Whether the kernel moves pages and leaves the old place mapped: valgrind's
 * does not. */
static bool moves_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *from = mmap(NULL, page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long to;

	must(from != MAP_FAILED);
	to = syscall(SYS_mremap, from, page, page, MREMAP_MAYMOVE | 4, 0);
	must(munmap(from, page) == 0);
	return to != -1 && munmap((void *)to, page) == 0;
}

/* Grows a touched block; neither in place nor moved may it be copied, which
 * would cost a page fault for each page. */
static char *grow_huge(char *p, size_t from, size_t to, bool in_the_way)
{
	long page = sysconf(_SC_PAGESIZE), faults;
	void *obstacle = in_the_way ? malloc(MIB) : NULL;

	for (size_t i = 0; i < from; i += (size_t)page)
		*(size_t *)(p + i) = i;
	faults = page_faults();
	p = realloc(p, to);
	faults = page_faults() - faults;
	assert_non_null(p);
	if (faults > (long)from / page / 8)
		print_message("%ld page faults for %zu MiB\n", faults,
			      from / MIB);
	assert_true(faults <= (long)from / page / 8);
	for (size_t i = 0; i < from; i += (size_t)page)
		assert_int_equal(*(size_t *)(p + i), i);
	free(obstacle);
	return p;
}

TEST(test_huge)
{
	char *p = malloc(16 * MIB);

	need_kernel();
	if (!moves_pages())
		skip();
	p = grow_huge(p, 16 * MIB, 64 * MIB, false);
	p = grow_huge(p, 64 * MIB, 128 * MIB, true);
	p = grow_huge(p, 128 * MIB, 512 * MIB, true);
	p[512 * MIB - 1] = 1;
	p = realloc(p, 20 * MIB);
	assert_non_null(p);
	assert_true(malloc_usable_size(p) < 256 * MIB);
	assert_int_equal(*(size_t *)(p + 4096), 4096);
	assert_int_equal(*(size_t *)(p + 16 * MIB), 16 * MIB);
	free(p);
}

/* The place that a huge block left is as good as any other. */
TEST(test_huge_leftover)
{
	char *p = malloc(32 * MIB), *q;

	need_kernel();
	if (!moves_pages())
		skip();
	memset(p, 0xff, 32 * MIB);
	p = grow_huge(p, 32 * MIB, 96 * MIB, true);
	q = calloc(1, 32 * MIB);
	assert_true(is_zero(q, 32 * MIB));
	memset(q, 1, 32 * MIB);
	assert_int_equal(*(size_t *)(p + 8 * MIB), 8 * MIB);
	free(q);
	free(p);
}

API_MAIN(NULL, NULL)
