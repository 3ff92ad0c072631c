/* modes: all */
/* malloc_usable_size: true, constant, writable; usable=requested */
#include "expect.h"

TEST(test_null)
{
	void *none = NULL;

	keeping_errno(assert_int_equal(malloc_usable_size(opaque(none)), 0));
}

/* Every byte of two neighbours' usable sizes is their own. */
static void check_writable(size_t n)
{
	unsigned char *a = malloc(n), *b = malloc(n);
	size_t a_size = malloc_usable_size(a), b_size = malloc_usable_size(b);

	assert_true(a_size >= n && b_size >= n);
	memset(a, 0xaa, a_size);
	memset(b, 0xbb, b_size);
	assert_true(a_size == 0 || (a[0] == 0xaa && a[a_size - 1] == 0xaa));
	assert_true(a_size == 0 || memcmp(a, a + 1, a_size - 1) == 0);
	assert_int_equal(malloc_usable_size(a), a_size);
	assert_int_equal(malloc_usable_size(b), b_size);
	free(a);
	free(b);
}

TEST(test_writable)
{
	for (size_t n = 0; n < 70000; n += n < 1300 ? 1 : 111)
		check_writable(n);
	check_writable(MIB - 1);
	check_writable(3 * MIB + 5);
}

TEST(test_constant)
{
	static char *blocks[1500];
	static size_t sizes[ARRAY_SIZE(blocks)];
	uint64_t random = 99;

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(random_next(&random) % 40000);
		sizes[i] = malloc_usable_size(blocks[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i += 2)
		free(blocks[i]);
	for (size_t i = 0; i < 2000; i++)
		free(malloc(random_next(&random) % 40000));
	for (size_t i = 1; i < ARRAY_SIZE(blocks); i += 2) {
		assert_int_equal(malloc_usable_size(blocks[i]), sizes[i]);
		free(blocks[i]);
	}
}

/* What is lost at the end of blocks is bounded. */
TEST_LANE(test_slack)
{
	for (size_t n = 16; n < 2 * MIB; n += 1 + n / 50) {
		void *p = malloc(n);

		assert_true(malloc_usable_size(p) <= n + n / 4 + 32768);
		if (n <= 32768)
			assert_true(malloc_usable_size(p) <= n + n / 4 + 16);
		free(p);
	}
}

#define NR_SAME_MOST 60000
#define SAME_SIZE 1096 /* a little above a class */

static unsigned char *same[NR_SAME_MOST];

/* Until a class fits: the first samples may be of sizes asked for before, and
 * how many there are depends on the CPUs that the thread was on. */
static size_t same_until_fitted(void)
{
	size_t n = 0, usable;

	do {
		must(n < NR_SAME_MOST);
		same[n] = malloc(SAME_SIZE);
		must(same[n]);
		usable = malloc_usable_size(same[n]);
		memset(same[n], (int)n, usable);
		n++;
	} while (usable >= SAME_SIZE + 64);
	return n;
}

/* A program that asks for one size gets a class that fits; its blocks of
 * before stay as they are. */
TEST_LANE(test_fitted)
{
	uint64_t before = stats_now().nr_fitted_classes;
	size_t n, first, last, size;

	n = same_until_fitted();
	first = malloc_usable_size(same[0]);
	last = malloc_usable_size(same[n - 1]);
	assert_true(last >= SAME_SIZE && last < SAME_SIZE + 64);
	assert_true(first > last);
	assert_int_equal(stats_now().nr_fitted_classes, before + 1);
	for (size_t i = 0; i < n; i++) {
		size = malloc_usable_size(same[i]);
		must(size == first || size == last);
		for (size_t k = 0; k < size; k++)
			must(same[i][k] == (unsigned char)i);
		if (i % 3)
			free(same[i]);
		else
			free(realloc(same[i], 2 * SAME_SIZE));
	}
}

static void must_have(void *p, size_t size)
{
	must(p);
	must(malloc_usable_size(p) == size);
	memset(p, 0x5a, size);
	must(malloc_usable_size(p) == size);
	free(p);
}

static void *by_posix_memalign(size_t align, size_t size)
{
	void *p = NULL;

	must(posix_memalign(&p, align, size) == 0);
	return p;
}

static void requested_by_each_function(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	must_have(malloc(n), n);
	must_have(calloc(n, 1), n);
	must_have(calloc(3, n), 3 * n);
	must_have(realloc(NULL, n), n);
	must_have(memalign(64, n), n);
	must_have(aligned_alloc(4096, n), n);
	must_have(by_posix_memalign(256, n), n);
	must_have(valloc(n), n);
	must_have(pvalloc(n), (n + page - 1) / page * page);
}

/* A block's answer follows each realloc, in place or moved. */
static void requested_by_realloc(size_t n)
{
	static const int permille[] = { 1010, 1500, 3000, 990, 400, 20 };
	char *p = malloc(n);

	for (size_t i = 0; i < ARRAY_SIZE(permille); i++) {
		size_t m = n * (size_t)permille[i] / 1000 + 1;

		p = realloc(p, m);
		must(malloc_usable_size(p) == m);
		memset(p, 0x77, m);
		must(malloc_usable_size(p) == m);
	}
	must_have(p, n * 20 / 1000 + 1);
}

TEST_ROLE(requested, "usable=requested")
{
	for (size_t n = 0; n < 200000; n += n < 300 ? 1 : n / 9) {
		requested_by_each_function(n);
		requested_by_realloc(n);
	}
	for (size_t n = 1; n < 100; n++)
		must_have(malloc(100 - n), 100 - n);
	must_have(malloc(5 * MIB + 3), 5 * MIB + 3);
}

TEST_ROLE(requested_churn, "usable=requested")
{
	static struct {
		char *p;
		size_t size;
	} live[2000];
	uint64_t random = 4;

	for (size_t i = 0; i < 100000; i++) {
		size_t k = random_next(&random) % ARRAY_SIZE(live);

		must(malloc_usable_size(live[k].p) == live[k].size);
		free(live[k].p);
		live[k].size = random_next(&random) % 1000 + 1;
		live[k].p = malloc(live[k].size);
		memset(live[k].p, 0xff, live[k].size);
	}
}

/* Where the size is not what was requested. */
TEST_LANE(test_requested_fails)
{
	need_kernel();
	role_ends("requested", "usable=real");
	assert_int_equal(WEXITSTATUS(child.status), 70);
}

API_MAIN(NULL, NULL)
