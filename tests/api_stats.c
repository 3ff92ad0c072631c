/* modes: all valgrind */
/* lanemalloc_stats, its JSON, lanemalloc_mode, lanemalloc_version */
#include "expect.h"

TEST_LANE(test_version)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%d.%d.%d",
		 LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		 LANEMALLOC_VERSION_PATCH);
	assert_string_equal(LANE(lanemalloc_version)(), expected);
}

/* The environment that this run was given must show in the mode. */
TEST_LANE(test_mode)
{
	const char *conf = getenv("LANEMALLOC_CONF");
	const char *tunables = getenv("GLIBC_TUNABLES");
	const char *why = NULL, *mode;

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
TEST_LANE(test_smaller_struct)
{
	struct lanemalloc_stats stats;
	size_t known;

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

TEST_LANE(test_larger_struct)
{
	struct {
		struct lanemalloc_stats known;
		unsigned char more[64];
		unsigned char beyond[16];
	} larger;
	size_t n = sizeof(larger) - sizeof(larger.beyond);

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

TEST_LANE(test_live_size)
{
	check_follows(40000, 16);
	check_follows(40000, 640);
	check_follows(2000, 20480);
	check_follows(500, 65536);
	check_follows(3, 32 * MIB);
}

TEST_LANE(test_large)
{
	struct lanemalloc_stats before, with;
	char *p;

	before = stats_now();
	p = malloc(10 * MIB);
	with = stats_now();
	assert_int_equal(with.nr_large, before.nr_large + 1);
	assert_int_equal(with.live_large_size,
			 before.live_large_size + 10 * MIB);
	free(p);
	assert_int_equal(stats_now().nr_large, before.nr_large);
}

TEST_LANE(test_plausible)
{
	struct lanemalloc_stats s;
	uint64_t refused;

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

TEST_LANE(test_json)
{
	char text[8192], part[64], key[64];
	size_t length;

	keeping_errno(length = LANE(lanemalloc_stats_json)(text, sizeof(text)));
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

#define NR_MOST 200
static struct lanemalloc_class_stats classes[NR_MOST];

static struct lanemalloc_class_stats class_now(size_t size)
{
	size_t nr = LANE(lanemalloc_stats_classes)(classes, sizeof(*classes),
						   NR_MOST);

	must(nr > 40 && nr < NR_MOST);
	must(is_zero(&classes[nr], sizeof(*classes)));
	for (size_t i = 0; i < nr; i++)
		if (classes[i].size == size)
			return classes[i];
	must(!"a class of that size");
	return classes[0];
}

static uint64_t sum_of_shares(const struct lanemalloc_class_stats *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < LANEMALLOC_SHARES; i++)
		sum += s->nr_slabs_by_share[i];
	return sum;
}

/* Slabs of one unit lie at multiples of it. */
static bool is_thinned(const void *block, size_t slab_size)
{
	return (uintptr_t)block / slab_size % 2;
}

/* What the program holds of a class, in live, and how full its slabs are. */
TEST_LANE(test_classes)
{
	static void *blocks[30000];
	struct lanemalloc_class_stats before, with, after;
	size_t in_slab;

	before = class_now(640);
	in_slab = before.slab_objects;
	assert_true(before.slab_size >= in_slab * 640);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = malloc(640);
	with = class_now(640);
	assert_int_equal(with.nr_live - before.nr_live, ARRAY_SIZE(blocks));
	assert_in_range(with.nr_slabs_by_share[9],
			ARRAY_SIZE(blocks) / in_slab * 9 / 10,
			with.nr_slabs);
	assert_int_equal(sum_of_shares(&with), with.nr_slabs);
	assert_int_equal(with.nr_live + with.nr_cached + with.nr_free,
			 with.nr_slabs * in_slab);
	/* Of every second slab one of eight stays. */
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (is_thinned(blocks[i], with.slab_size) && i % 8)
			free(blocks[i]);
	LANE(lanemalloc_purge)();
	after = class_now(640);
	assert_int_equal(sum_of_shares(&after), after.nr_slabs);
	assert_true(after.nr_slabs_by_share[9] < with.nr_slabs_by_share[9]);
	assert_true(after.nr_slabs_by_share[1] + after.nr_slabs_by_share[2] >
		    ARRAY_SIZE(blocks) / in_slab / 4);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (!(is_thinned(blocks[i], with.slab_size) && i % 8))
			free(blocks[i]);
	assert_int_equal(class_now(640).nr_live, before.nr_live);
}

/* Structs of a program that knows less, or more. */
TEST_LANE(test_classes_of_another_size)
{
	unsigned char text[3 * 400];
	size_t nr;

	class_now(16);
	memset(text, 0xee, sizeof(text));
	nr = LANE(lanemalloc_stats_classes)((void *)text, 8, 3);
	assert_true(nr > 40);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(text + 8 * i, &classes[i].size, 8);
	assert_int_equal(text[24], 0xee);
	assert_int_equal(LANE(lanemalloc_stats_classes)((void *)text, 400, 3),
			 nr);
	for (size_t i = 0; i < 3; i++) {
		assert_memory_equal(text + 400 * i, &classes[i].size, 8);
		assert_true(is_zero(text + 400 * i + sizeof(*classes),
				    400 - sizeof(*classes)));
	}
	assert_int_equal(LANE(lanemalloc_stats_classes)(NULL, 0, 0), nr);
}

TEST_LANE(test_cpus)
{
	static struct lanemalloc_cpu_stats cpus[8192];
	struct lanemalloc_stats s;
	uint64_t refills = 0, direct = 0, cached = 0;
	size_t nr;

	free(opaque(malloc(100)));
	s = stats_now();
	nr = LANE(lanemalloc_stats_cpus)(cpus, sizeof(*cpus), 8192);
	assert_in_range(nr, 1, 8192);
	for (size_t i = 0; i < nr; i++) {
		refills += cpus[i].nr_refills;
		direct += cpus[i].nr_direct;
		cached += cpus[i].cached_size;
		assert_true(!i || cpus[i].number > cpus[i - 1].number);
	}
	assert_int_equal(refills, s.nr_refills);
	assert_int_equal(direct, s.nr_direct);
	assert_int_equal(cached, s.cached_size);
	assert_true(is_zero(&cpus[nr], sizeof(*cpus)));
}

static char long_text[1 << 20];

TEST_LANE(test_detail_json)
{
	size_t length;
	void *block = opaque(malloc(100));

	length = LANE(lanemalloc_stats_detail_json)(long_text,
						    sizeof(long_text));
	assert_int_equal(length, strlen(long_text));
	assert_true(is_json(long_text));
	assert_non_null(strstr(long_text, "\"classes\": [{\"class\": "));
	assert_non_null(strstr(long_text, "\"nr_slabs_by_share\": ["));
	assert_non_null(strstr(long_text, "\"cpus\": [{\"cpu\": "));
	assert_non_null(strstr(long_text, "\"nr_fitted_classes\": "));
	free(block);
}

/* The format's rules: a line is a comment or a value; HELP, TYPE and values of
 * one metric stand together, each series once. */
static void check_prometheus(char *text)
{
	static char names[200][80], series[4000][160];
	size_t nr_names = 0, nr_series = 0;
	char *line, name[80], kind[16];

	while ((line = strsep(&text, "\n")) && *line) {
		char *value = strrchr(line, ' ');
		unsigned long number;
		size_t n;

		if (sscanf(line, "# HELP %79s", name) == 1) {
			for (size_t i = 0; i < nr_names; i++)
				assert_string_not_equal(names[i], name);
			strcpy(names[nr_names++], name);
			continue;
		}
		assert_true(nr_names);
		if (sscanf(line, "# TYPE %79s %15s", name, kind) == 2) {
			assert_string_equal(name, names[nr_names - 1]);
			assert_true(!strcmp(kind, strstr(name, "_total") ?
							  "counter" : "gauge"));
			continue;
		}
		assert_true(value && sscanf(value, " %lu", &number) == 1);
		n = strcspn(line, "{ ");
		assert_int_equal(n, strlen(names[nr_names - 1]));
		assert_memory_equal(line, names[nr_names - 1], n);
		*value = '\0';
		assert_true(strlen(line) < sizeof(series[0]));
		for (size_t i = 0; i < nr_series; i++)
			assert_string_not_equal(series[i], line);
		strcpy(series[nr_series++], line);
	}
	assert_true(nr_names > 30 && nr_series > 50);
}

TEST_LANE(test_prometheus)
{
	size_t length;
	char key[80];
	void *block = opaque(malloc(100));

	length = LANE(lanemalloc_stats_prometheus)(long_text,
						   sizeof(long_text));
	assert_int_equal(length, strlen(long_text));
	assert_int_equal(long_text[length - 1], '\n');
	snprintf(key, sizeof(key), "mode=\"%s\"", LANE(lanemalloc_mode)(NULL));
	assert_non_null(strstr(long_text, key));
	assert_non_null(strstr(long_text, "\nlanemalloc_live_bytes "));
	assert_non_null(strstr(long_text, "\nlanemalloc_refills_total "));
	assert_non_null(strstr(long_text, "\nlanemalloc_purged_bytes_total "));
	assert_non_null(strstr(long_text, "\nlanemalloc_limit_hits_total "));
	assert_non_null(strstr(long_text, "\nlanemalloc_pressures_total "));
	assert_non_null(strstr(long_text, "\nlanemalloc_slabs "));
	assert_non_null(strstr(long_text, "\nlanemalloc_class_live{class=\""));
	assert_non_null(strstr(long_text, ",share=\"all\"} "));
	assert_non_null(strstr(long_text, "{cpu=\""));
	check_prometheus(long_text);
	free(block);
}

TEST_MAIN(NULL, NULL)
