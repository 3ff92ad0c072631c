/* modes: all */
/* mallinfo2, mallinfo, malloc_info, malloc_stats, malloc_trim, mallopt */
#include "expect.h"
#include "promised.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* nr blocks of n bytes, alive and touched, are seen by the numbers, and no
 * longer when they are freed. */
static void check_seen(size_t nr, size_t n)
{
	static char *blocks[65536];
	size_t before = in_use(), total = nr * n, grown;

	for (size_t i = 0; i < nr; i++) {
		blocks[i] = malloc(n);
		must(blocks[i]);
		blocks[i][0] = 1;
	}
	grown = in_use() - before;
	assert_in_range(grown, total - total / 50, total + total / 2);
	for (size_t i = 0; i < nr; i++)
		free(blocks[i]);
	assert_in_range(in_use(), before - before / 4,
			before + total / 50 + 65536);
}

TEST(test_mallinfo2)
{
	check_seen(65536, 1024);
	check_seen(1024, 65536);
	check_seen(1, 64 * MIB);
	check_seen(20000, 48);
}

/* Small blocks alone are uordblks, as in libc. */
TEST(test_uordblks)
{
	size_t before = mallinfo2().uordblks, grown;
	char **blocks = calloc(65536, sizeof(*blocks));

	for (size_t i = 0; i < 65536; i++)
		blocks[i] = malloc(1000);
	grown = mallinfo2().uordblks - before;
	assert_in_range(grown, 62 * MIB, 80 * MIB);
	assert_true(mallinfo2().arena >= grown);
	for (size_t i = 0; i < 65536; i++)
		free(blocks[i]);
	free(blocks);
}

TEST(test_mallinfo)
{
	struct mallinfo2 now;
	struct mallinfo old;
	char *p = malloc(10 * MIB);

	assert_non_null(p);
	old = mallinfo();
	now = mallinfo2();
	assert_int_equal(old.uordblks, now.uordblks);
	assert_int_equal(old.hblkhd, now.hblkhd);
	assert_int_equal(old.arena, now.arena);
	free(p);
}

/* A mallinfo of more than 2 GiB shows no negative numbers. */
TEST_LANE(test_mallinfo_saturates)
{
	char *p;

	need_promise((size_t)6 << 30);
	p = malloc((size_t)5 << 30);
	assert_non_null(p);
	assert_true(mallinfo2().hblkhd + mallinfo2().uordblks >= (size_t)5
									 << 30);
	assert_true(mallinfo().hblkhd >= 0 && mallinfo().uordblks >= 0);
	assert_true(mallinfo().hblkhd == INT_MAX ||
		    mallinfo().uordblks == INT_MAX);
	free(p);
}

/* Every element is closed by its own name, in order; attributes have quotes.
 * Returns the number of elements, -1 where the text is not well-formed. */
static int xml_elements(const char *p)
{
	char stack[32][32];
	int depth = 0, nr = 0, roots = 0;

	while ((p = strchr(p, '<'))) {
		int closing = p[1] == '/', quotes = 0;
		size_t n = strcspn(p + 1 + closing, " \t\n/>");
		char name[32];

		if (n == 0 || n >= sizeof(name))
			return -1;
		memcpy(name, p + 1 + closing, n);
		name[n] = 0;
		for (; *p && *p != '>'; p++)
			quotes += *p == '"';
		if (!*p || quotes % 2)
			return -1;
		if (closing && (--depth < 0 || strcmp(stack[depth], name)))
			return -1;
		if (closing)
			continue;
		nr++;
		roots += depth == 0;
		if (p[-1] != '/' && depth == (int)ARRAY_SIZE(stack))
			return -1;
		if (p[-1] != '/')
			strcpy(stack[depth++], name);
	}
	return depth == 0 && roots == 1 ? nr : -1;
}

TEST(test_xml_check)
{
	assert_int_equal(xml_elements("<a b=\"1\"><c/><d></d></a>"), 3);
	assert_int_equal(xml_elements("<a><b></a></b>"), -1);
	assert_int_equal(xml_elements("<a><b></a>"), -1);
	assert_int_equal(xml_elements("<a b=\"></a>"), -1);
	assert_int_equal(xml_elements("<a></a><b/>"), -1);
}

/* Netdata reads on from the last heap, each number behind the one before. */
static void check_order(const char *text)
{
	static const char *const order[] = {
		"<total type=\"fast\" ", " size=\"",
		"<total type=\"rest\" ", " size=\"",
		"<total type=\"mmap\" ", " size=\"",
		"<system type=\"current\" size=\"",
	};
	const char *at = text, *next;

	while ((next = strstr(at, "</heap>")))
		at = next + 1;
	assert_true(at > text);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		at = strstr(at, order[i]);
		assert_non_null(at);
		at += strlen(order[i]);
	}
	assert_true(strtoul(at, NULL, 10) > 0);
}

TEST(test_malloc_info)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	errno = 4711;
	assert_int_equal(malloc_info(0, f), 0);
	fclose(f);
	assert_int_equal(strncmp(text, "<malloc version=\"1\">", 20), 0);
	assert_true(xml_elements(text) >= 5);
	check_order(text);
	free(text);
	assert_int_not_equal(malloc_info(1, stdout), 0);
}

ROLE(malloc_stats)
{
	keeping_errno(malloc_stats());
}

TEST(test_malloc_stats)
{
	role_runs("malloc_stats", NULL);
	assert_true(strlen(child.err) > 100);
	assert_string_equal(child.out, "");
	if (!have_lane())
		return;
#define FIND(name, unit, help) assert_non_null(strstr(child.err, #name));
	LANEMALLOC_STATS(FIND)
#undef FIND
}

static void trim_all(void)
{
	for (int i = 0; i < 10000; i++)
		if (malloc_trim(0) == 0)
			return;
	fail();
}

/* 1 while there is something to give back, in the end 0. */
TEST_LANE(test_malloc_trim)
{
	char *p;

	trim_all();
	p = malloc(2 * MIB);
	memset(p, 1, 2 * MIB);
	free(opaque(p));
	keeping_errno(assert_int_equal(malloc_trim(0), 1));
	trim_all();
}

TEST(test_mallopt)
{
	static const int known[] = {
		M_MXFAST,         M_TRIM_THRESHOLD, M_TOP_PAD,
		M_MMAP_THRESHOLD, M_MMAP_MAX,       M_CHECK_ACTION,
		M_PERTURB,        M_ARENA_TEST,     M_ARENA_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		keeping_errno(assert_int_equal(mallopt(known[i], 0), 1));
	}
	for (size_t n = 1; n < 1 << 20; n *= 3)
		free(malloc(n));
}

API_MAIN(NULL, NULL)
