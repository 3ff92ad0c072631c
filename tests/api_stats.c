/* modes: all valgrind */
/* lanemalloc_stats, its JSON, lanemalloc_mode, lanemalloc_version */
#include "expect.h"

TEST(test_version)
{
	char expected[32];

	need_lane();
	snprintf(expected, sizeof(expected), "%d.%d.%d",
		 LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		 LANEMALLOC_VERSION_PATCH);
	assert_string_equal(LANE(lanemalloc_version)(), expected);
}

/* The environment that this run was given must show in the mode. */
TEST(test_mode)
{
	const char *conf = getenv("LANEMALLOC_CONF");
	const char *tunables = getenv("GLIBC_TUNABLES");
	const char *why = NULL, *mode;

	need_lane();
	mode = LANE(lanemalloc_mode)(&why);
	assert_ptr_equal(LANE(lanemalloc_mode)(NULL), mode);
	assert_non_null(why);
	assert_true(strlen(why) > 3 && !strchr(why, '\n'));
	print_message("mode %s: %s\n", mode, why);
	assert_true(!strcmp(mode, "mm_cid") || !strcmp(mode, "cpu_id") ||
		    !strcmp(mode, "direct"));
	if (tunables && strstr(tunables, "rseq=0"))
		assert_string_equal(mode, "direct");
	if (conf && strstr(conf, "index=cpu_id"))
		assert_string_not_equal(mode, "mm_cid");
}

/* A program that knows fewer numbers gets those, and no byte more. */
TEST(test_smaller_struct)
{
	struct lanemalloc_stats stats;
	size_t known;

	need_lane();
	for (size_t n = 0; n <= sizeof(stats); n += 8) {
		memset(&stats, 0xee, sizeof(stats));
		known = LANE(lanemalloc_stats)(&stats, n);
		assert_int_equal(known, sizeof(stats));
		for (size_t i = n; i < sizeof(stats); i++)
			assert_int_equal(((unsigned char *)&stats)[i], 0xee);
		if (n >= 16)
			assert_true(stats.live_size < (size_t)1 << 40);
	}
}

TEST(test_larger_struct)
{
	struct {
		struct lanemalloc_stats known;
		unsigned char more[64];
		unsigned char beyond[16];
	} larger;
	size_t n = sizeof(larger) - sizeof(larger.beyond);

	need_lane();
	memset(&larger, 0xee, sizeof(larger));
	errno = 4711;
	assert_int_equal(LANE(lanemalloc_stats)((void *)&larger, n),
			 sizeof(larger.known));
	assert_int_equal(errno, 4711);
	assert_true(is_zero(larger.more, sizeof(larger.more)));
	assert_int_equal(larger.beyond[0], 0xee);
	assert_true(larger.known.reserved_size > 0);
}

/* live_size rises and falls with what the program holds. */
static void check_follows(size_t nr, size_t n)
{
	static char *blocks[40000];
	uint64_t before = stats_now().live_size, grown;

	for (size_t i = 0; i < nr; i++) {
		blocks[i] = malloc(n);
		memset(blocks[i], 1, n < 64 ? n : 64);
	}
	grown = stats_now().live_size - before;
	assert_in_range(grown, nr * n, nr * n + nr * n / 4 + 65536);
	for (size_t i = 0; i < nr; i++)
		free(blocks[i]);
	assert_in_range(stats_now().live_size, 0, before + 4096);
}

TEST(test_live_size)
{
	need_lane();
	check_follows(40000, 16);
	check_follows(40000, 640);
	check_follows(2000, 20480);
	check_follows(500, 65536);
	check_follows(3, 32 * MIB);
}

TEST(test_large)
{
	struct lanemalloc_stats before, with;
	char *p;

	need_lane();
	before = stats_now();
	p = malloc(10 * MIB);
	with = stats_now();
	assert_int_equal(with.nr_large, before.nr_large + 1);
	assert_int_equal(with.live_large_size,
			 before.live_large_size + 10 * MIB);
	free(p);
	assert_int_equal(stats_now().nr_large, before.nr_large);
}

TEST(test_plausible)
{
	struct lanemalloc_stats s;
	uint64_t refused;

	need_lane();
	free(malloc(100));
	s = stats_now();
	assert_true(s.live_large_size <= s.live_size);
	assert_true(s.committed_size <= s.reserved_size);
	assert_true(s.live_size <= s.committed_size);
	assert_true(s.metadata_size > 0 && s.metadata_size < 64 * MIB);
	assert_true(s.nr_slabs > 0);
	assert_true(is_direct() ? s.cached_size == 0 : s.nr_cpu_caches > 0);
	assert_true(!is_direct() || s.nr_direct > 0);
	refused = s.nr_out_of_memory;
	assert_null(malloc(opaque((size_t)1 << 60)));
	assert_true(stats_now().nr_out_of_memory > refused);
}

/* A parser of JSON: the end of the value at p, NULL where there is none. */
static const char *json_value(const char *p);

static const char *json_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p && *p != '"'; p++) {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p == '\\' && (!*++p || !strchr("\"\\/bfnrtu", *p)))
			return NULL;
	}
	return *p ? p + 1 : NULL;
}

static const char *json_number(const char *p)
{
	const char *digits = p + (*p == '-');
	size_t n = strspn(digits, "0123456789");

	if (n == 0 || (*digits == '0' && n > 1))
		return NULL;
	p = digits + n;
	if (*p == '.' && strspn(p + 1, "0123456789"))
		p += 1 + strspn(p + 1, "0123456789");
	return p;
}

/* The elements between p's bracket and its partner. */
static const char *json_elements(const char *p, char end, bool named)
{
	p = json_space(p + 1);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (named) {
			p = json_string(p);
			p = p ? json_space(p) : "";
			if (*p++ != ':')
				return NULL;
		}
		p = json_value(p);
		if (!p)
			return NULL;
		p = json_space(p);
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
		p = json_space(p);
	}
}

static const char *json_value(const char *p)
{
	static const char *const words[] = { "true", "false", "null" };

	p = json_space(p);
	if (*p == '{')
		return json_elements(p, '}', true);
	if (*p == '[')
		return json_elements(p, ']', false);
	if (*p == '"')
		return json_string(p);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(p, words[i], strlen(words[i])))
			return p + strlen(words[i]);
	return json_number(p);
}

static bool is_json(const char *text)
{
	const char *end = json_value(text);

	return end && *json_space(end) == 0;
}

TEST(test_json_parser)
{
	assert_true(is_json("{\"a\": [1, 2.5, {}], \"b\": \"x\\\"y\"}"));
	assert_false(is_json("{\"a\": 1,}"));
	assert_false(is_json("{\"a\" 1}"));
	assert_false(is_json("{\"a\": 1"));
	assert_false(is_json("{\"a\": 01}"));
	assert_false(is_json("{\"a\": \"x}"));
	assert_false(is_json("{\"a\": 1}}"));
	assert_false(is_json("{\"a\": -}"));
}

TEST(test_json)
{
	char text[8192], part[64], key[64];
	size_t length;

	need_lane();
	errno = 4711;
	length = LANE(lanemalloc_stats_json)(text, sizeof(text));
	assert_int_equal(errno, 4711);
	assert_true(length < sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_true(is_json(text));
	assert_int_equal(text[0], '{');
#define FIND(name, unit, help)                        \
	snprintf(key, sizeof(key), "\"%s\":", #name); \
	assert_non_null(strstr(text, key));
	LANEMALLOC_STATS(FIND)
#undef FIND
	snprintf(key, sizeof(key), "\"%s\"", LANE(lanemalloc_mode)(NULL));
	assert_non_null(strstr(text, key));
	memset(part, 0xee, sizeof(part));
	assert_in_range(LANE(lanemalloc_stats_json)(part, 32), length - 64,
			length + 64);
	assert_int_equal(strlen(part), 31);
	assert_memory_equal(part, text, 16);
	assert_int_equal((unsigned char)part[32], 0xee);
	assert_in_range(LANE(lanemalloc_stats_json)(NULL, 0), length - 64,
			length + 64);
}

TEST_MAIN(NULL, NULL)
