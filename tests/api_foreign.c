/* modes: all */
/* blocks of libc's malloc: free, realloc, malloc_usable_size; and counted */
#include "expect.h"

static void *(*libc_malloc)(size_t);
static void *(*libc_calloc)(size_t, size_t);
static void *(*libc_memalign)(size_t, size_t);
static void (*libc_free)(void *);

static int setup(void **state)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	(void)state;
	must(libc);
	*(void **)&libc_malloc = dlsym(libc, "__libc_malloc");
	*(void **)&libc_calloc = dlsym(libc, "__libc_calloc");
	*(void **)&libc_memalign = dlsym(libc, "__libc_memalign");
	*(void **)&libc_free = dlsym(libc, "__libc_free");
	return !(libc_malloc && libc_calloc && libc_memalign && libc_free);
}

TEST_LANE(test_frees)
{
	uint64_t before, nr = 0;

	before = stats_now().nr_foreign_frees;
	for (size_t n = 1; n < 4 * MIB; n += 1 + n / 3) {
		errno = 4711;
		free(libc_malloc(n));
		free(libc_calloc(3, n));
		free(libc_memalign(256, n));
		assert_int_equal(errno, 4711);
		nr += 3;
	}
	assert_int_equal(stats_now().nr_foreign_frees, before + nr);
}

TEST_LANE(test_realloc_contents)
{
	for (size_t n = 1; n < 4 * MIB; n += 1 + n / 3) {
		char *p = libc_malloc(n);

		for (size_t i = 0; i < n; i += 1 + i / 100)
			p[i] = (char)pattern_byte(n, i);
		p = realloc(p, 2 * n + 50);
		assert_non_null(p);
		for (size_t i = 0; i < n; i += 1 + i / 100)
			assert_int_equal((unsigned char)p[i],
					 pattern_byte(n, i));
		p[2 * n + 49] = 1;
		p = realloc(p, n / 2 + 1);
		for (size_t i = 0; i < n / 2; i += 1 + i / 100)
			assert_int_equal((unsigned char)p[i],
					 pattern_byte(n, i));
		free(p);
	}
	assert_null(realloc(libc_malloc(100), opaque((size_t)0)));
}

TEST_LANE(test_realloc_fails)
{
	char *p = libc_malloc(100);

	pattern_fill(p, 100, 1);
	assert_no_memory(realloc(opaque(p), opaque(SIZE_MAX - 100)));
	pattern_free(p, 100, 1);
}

TEST_LANE(test_usable_size)
{
	for (size_t n = 1; n < MIB; n = n * 2 + 3) {
		char *p = libc_malloc(n);

		keeping_errno(assert_true(malloc_usable_size(p) >= n));
		memset(p, 1, malloc_usable_size(p));
		free(p);
	}
}

static void *free_foreign(void *arg)
{
	void **blocks = arg;

	for (size_t i = 0; i < 1000; i++)
		free(blocks[i]);
	return NULL;
}

TEST_LANE(test_other_thread)
{
	static void *blocks[1000];

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = i % 2 ? libc_malloc(i) : malloc(i);
	thread_run(free_foreign, blocks);
}

/* What libc allocates for the program is ours: it calls malloc by name. */
TEST_LANE(test_libc_uses_ours)
{
	char *line = NULL, *text, *path;
	size_t size = 0;
	FILE *f;
	uint64_t before = stats_now().nr_foreign_frees;

	free(strdup("text"));
	free(reallocarray(NULL, 10, 10));
	must(asprintf(&text, "%d", 5) == 1);
	free(text);
	path = realpath("/proc/self/exe", NULL);
	assert_non_null(path);
	f = fopen(path, "r");
	assert_non_null(f);
	must(getline(&line, &size, f) > 0);
	fclose(f);
	free(line);
	free(path);
	assert_int_equal(stats_now().nr_foreign_frees, before);
}

TEST_MAIN(setup, NULL)
