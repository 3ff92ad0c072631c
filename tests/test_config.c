/* system/config.h: every option of the table, every warning's exact text
 *
 * config_start() reads once in a process, so each of its cases runs in a
 * child.
 */
#include "config_fixture.h"

#define WARNING "lanemalloc: LANEMALLOC_CONF: "
#define SUFFIXES " (k, m, g may follow)\n"

static const struct {
	const char *name, *kind;
	uint64_t least, most;
} rows[] = {
#define ROW(name, kind, value, least, most, help) { #name, #kind, least, most },
	CONFIG_OPTIONS(ROW)
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Parses on top of the defaults; the warnings. */
static const char *parse(struct config *out, const char *text)
{
	static struct capture capture;

	*out = defaults;
	capture_begin(&capture);
	config_parse(out, text);
	return capture_end(&capture);
}

/* text sets option i, and nothing else, to value. */
static void assert_sets(unsigned i, const char *text, uint64_t value)
{
	struct config want = defaults, got;

	assert_string_equal(parse(&got, text), "");
	*config_field(&want, i) = value;
	assert_memory_equal(&got, &want, sizeof(want));
}

/* text sets nothing and prints that. */
static void assert_warns(const char *text, const char *warning)
{
	struct config got;

	assert_string_equal(parse(&got, text), warning);
	assert_memory_equal(&got, &defaults, sizeof(defaults));
}

TEST(test_table)
{
	assert_int_equal(NR_ROWS, NR_CONFIG_OPTIONS);
	assert_memory_equal(&config, &defaults, sizeof(defaults));
	for (unsigned i = 0; i < NR_ROWS; i++) {
		assert_string_equal(config_options[i].name, rows[i].name);
		assert_true(strlen(config_options[i].help) > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(rows[i].name, rows[j].name);
	}
}

static void assert_number(unsigned i)
{
	const struct config_option *option = &config_options[i];
	const uint64_t least = rows[i].least, most = rows[i].most;
	const uint64_t values[] = { least, most, most + 1, least - 1 };
	char text[256], warning[512];

	assert_true(least <= option->value && option->value <= most);
	for (unsigned k = 0; k < (least ? 4 : 3); k++) {
		snprintf(text, sizeof(text), "%s=%lu", option->name, values[k]);
		snprintf(warning, sizeof(warning), WARNING
			 "%s: '%lu' is not a number from %lu to %lu" SUFFIXES,
			 option->name, values[k], least, most);
		if (k < 2)
			assert_sets(i, text, values[k]);
		else
			assert_warns(text, warning);
	}
}

static void assert_words(unsigned i, const char *const *words, unsigned mask)
{
	char text[256], warning[512], list[256] = "";

	for (unsigned word = 0; words[word]; word++) {
		snprintf(text, sizeof(text), "%s=%s", rows[i].name,
			 words[word]);
		assert_sets(i, text, word & mask);
		strcat(strcat(list, " "), words[word]);
	}
	snprintf(text, sizeof(text), "%s=other", rows[i].name);
	snprintf(warning, sizeof(warning),
		 WARNING "%s: 'other' is not one of%s\n", rows[i].name, list);
	assert_warns(text, warning);
	snprintf(text, sizeof(text), "%s=", rows[i].name);
	snprintf(warning, sizeof(warning), WARNING "%s: '' is not one of%s\n",
		 rows[i].name, list);
	assert_warns(text, warning);
}

/* The words of each kind, by value. */
#define WORD(value, word) [value] = word,
static const struct {
	const char *kind;
	unsigned mask;
	const char *words[9];
} choices[] = {
	{ "BOOL", 1, { "0", "1", "off", "on", "false", "true", "no", "yes" } },
	{ "CHOICE_index", ~0u, { CONFIG_CHOICE_index(WORD) } },
	{ "CHOICE_numa", ~0u, { CONFIG_CHOICE_numa(WORD) } },
	{ "CHOICE_hugepage", ~0u, { CONFIG_CHOICE_hugepage(WORD) } },
	{ "CHOICE_mte", ~0u, { CONFIG_CHOICE_mte(WORD) } },
	{ "CHOICE_usable", ~0u, { CONFIG_CHOICE_usable(WORD) } },
	{ "CHOICE_large_guard", ~0u, { CONFIG_CHOICE_large_guard(WORD) } },
	{ "CHOICE_checks", ~0u, { CONFIG_CHOICE_checks(WORD) } },
	{ "CHOICE_profile_form", ~0u, { CONFIG_CHOICE_profile_form(WORD) } },
	{ "CHOICE_limit", ~0u, { "auto", "cgroup", "off" } },
};

static void assert_choice(unsigned i)
{
	for (size_t k = 0; k < sizeof(choices) / sizeof(choices[0]); k++)
		if (!strcmp(rows[i].kind, choices[k].kind)) {
			assert_words(i, choices[k].words, choices[k].mask);
			return;
		}
	fail_msg("no test for kind %s", rows[i].kind);
}

static void assert_text(unsigned i)
{
	char text[1024], warning[1024], value[CONFIG_TEXT_MOST + 2];
	struct config got;

	snprintf(text, sizeof(text), "%s=/a b/c=d,stats=1", rows[i].name);
	assert_string_equal(parse(&got, text), "");
	assert_string_equal(config_text(*config_field(&got, i)), "/a b/c=d");
	assert_int_equal(got.stats, 1);
	snprintf(text, sizeof(text), "%s=", rows[i].name);
	assert_string_equal(parse(&got, text), "");
	assert_string_equal(config_text(*config_field(&got, i)), "");
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	snprintf(text, sizeof(text), "%s=%s", rows[i].name, value);
	snprintf(warning, sizeof(warning),
		 WARNING "%s: '%.64s' is not a text of at most %lu bytes\n",
		 rows[i].name, value, rows[i].most);
	assert_warns(text, warning);
}

TEST(test_every_option)
{
	for (unsigned i = 0; i < NR_ROWS; i++) {
		if (!strcmp(rows[i].kind, "NUMBER"))
			assert_number(i);
		else if (!strcmp(rows[i].kind, "TEXT"))
			assert_text(i);
		else
			assert_choice(i);
	}
}

static unsigned option_of(const char *name)
{
	unsigned i;

	for (i = 0; strcmp(config_options[i].name, name); i++)
		assert_true(i + 1 < NR_CONFIG_OPTIONS);
	return i;
}

TEST(test_number_suffixes)
{
	unsigned budget = option_of("purge_budget");

	assert_sets(budget, "purge_budget=0", 0);
	assert_sets(budget, "purge_budget=007", 7);
	assert_sets(budget, "purge_budget=3k", 3 << 10);
	assert_sets(budget, "purge_budget=3K", 3 << 10);
	assert_sets(budget, "purge_budget=3m", 3 << 20);
	assert_sets(budget, "purge_budget=3M", 3 << 20);
	assert_sets(budget, "purge_budget=3g", 3ull << 30);
	assert_sets(budget, "purge_budget=3G", 3ull << 30);
	assert_sets(budget, "purge_budget=1048576g", 1ull << 50);
}

/* No number, or none that 64 bits hold: never a small one by overflow. */
TEST(test_bad_numbers)
{
	static const char *const values[] = {
		"", "k", "-1", "+1", "0x10", "1.5", "1kb", "1 ", " 1", "1kk",
		"one", "1e3", "1=2", "1:", "/", "1048577g",
		"18446744073709551615", "18446744073709551616",
		"18446744073709551617", "18446744073709551620",
		"184467440737095516150", "99999999999999999999999999",
		"18014398509481984k", "17592186044416m", "17179869184g",
		"36893488147419103233",
	};
	char text[128], warning[256];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(text, sizeof(text), "purge_budget=%s", values[i]);
		snprintf(warning, sizeof(warning),
			 WARNING "purge_budget: '%s' is not a number from 0 "
				 "to 1125899906842624" SUFFIXES,
			 values[i]);
		assert_warns(text, warning);
	}
}

TEST(test_unknown_keys)
{
	assert_warns("foo=1", WARNING "unknown key 'foo'\n");
	assert_warns("foo=", WARNING "unknown key 'foo'\n");
	assert_warns("stat=1", WARNING "unknown key 'stat'\n");
	assert_warns("statss=1", WARNING "unknown key 'statss'\n");
	assert_warns("STATS=1", WARNING "unknown key 'STATS'\n");
	assert_warns(" stats=1", WARNING "unknown key ' stats'\n");
	assert_warns("a\nb=1", WARNING "unknown key 'a?b'\n");
	assert_warns("a=1,b=2",
		     WARNING "unknown key 'a'\n" WARNING "unknown key 'b'\n");
}

TEST(test_malformed_items)
{
	assert_warns("stats", WARNING "'stats' is not key=value\n");
	assert_warns("=1", WARNING "'=1' is not key=value\n");
	assert_warns("=", WARNING "'=' is not key=value\n");
	assert_warns(" ", WARNING "' ' is not key=value\n");
	assert_warns("", "");
	assert_warns(",,,", "");
}

/* One bad item takes none of its neighbours with it. */
TEST(test_lists)
{
	struct config want = defaults, got;
	const char *text;

	want.stats = 1;
	want.purge_delay = 5;
	want.index = INDEX_CPU_ID;
	assert_string_equal(
		parse(&got, ",stats=1,,purge_delay=5,index=cpu_id,"), "");
	assert_memory_equal(&got, &want, sizeof(want));
	text = parse(&got, "stats=on,x=1,purge_delay=5,stats,index=cpu_id");
	assert_string_equal(text, WARNING "unknown key 'x'\n" WARNING
					  "'stats' is not key=value\n");
	assert_memory_equal(&got, &want, sizeof(want));
}

TEST(test_last_wins)
{
	struct config got;

	parse(&got, "purge_delay=5,stats=1,purge_delay=6,purge_delay=7");
	assert_int_equal(got.purge_delay, 7);
	parse(&got, "purge_delay=5,purge_delay=x");
	assert_int_equal(got.purge_delay, 5);
}

TEST(test_long_words_are_cut)
{
	char text[1024], want[256];

	memset(text, 'k', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	snprintf(want, sizeof(want), WARNING "'%.64s' is not key=value\n",
		 text);
	assert_warns(text, want);
	text[500] = '=';
	snprintf(want, sizeof(want), WARNING "unknown key '%.64s'\n", text);
	assert_warns(text, want);
}

/* The eleventh warning is not printed, but the items behind it count. */
TEST(test_warnings_are_limited)
{
	static const char *const kinds[] = { "nokey=1,", "noitem,", "stats=3,",
					     "purge_delay=x," };
	char text[1024] = "";
	struct config got;
	const char *line;
	unsigned i, nr = 0;

	for (i = 0; i < CONFIG_WARNINGS_MOST + 8; i++)
		strcat(text, kinds[i % 4]);
	strcat(text, "purge_delay=5");
	for (line = parse(&got, text); *line; line = strchr(line, '\n') + 1)
		nr++;
	assert_int_equal(nr, CONFIG_WARNINGS_MOST);
	assert_int_equal(got.purge_delay, 5);
}

/* What a printed line says of options. */
static char *options_of(char *line)
{
	char head[64];

	snprintf(head, sizeof(head), "lanemalloc: pid %d: LANEMALLOC_CONF=",
		 (int)getpid());
	assert_non_null(line);
	assert_memory_equal(line, head, strlen(head));
	return line + strlen(head);
}

/* What it prints, read back, is what was printed. */
TEST(test_print)
{
	static struct capture capture;
	struct config saved = config, got;
	char *text, *rest = NULL, *item;

	parse(&config, "verbose=1,index=mm_cid,purge_budget=1g,"
		       "hugepage=off,usable=requested,rseq=0");
	capture_begin(&capture);
	config_print();
	text = (char *)capture_end(&capture);
	assert_non_null(strstr(text, "verbose=on,"));
	assert_non_null(strstr(text, ",index=mm_cid,"));
	assert_non_null(strstr(text, ",purge_budget=1073741824,"));
	for (unsigned i = 0; i < NR_CONFIG_OPTIONS; i++) {
		if (!rest)
			rest = options_of(strsep(&text, "\n"));
		item = strsep(&rest, ",");
		assert_non_null(item);
		assert_memory_equal(item, rows[i].name, strlen(rows[i].name));
		assert_string_equal(parse(&got, item), "");
		assert_int_equal(*config_field(&got, i),
				 *config_field(&config, i));
	}
	assert_null(rest);
	assert_string_equal(text, "");
	config = saved;
}

/* config_start(), in children; what they find becomes their exit code */

static void start_reads_once(void)
{
	setenv("LANEMALLOC_CON", "purge_delay=1", 1);
	setenv("LANEMALLOC_CONFX", "purge_delay=2", 1);
	setenv("LANEMALLOC_CONF", "purge_delay=3,foo=1", 1);
	EXPECT(config.purge_delay == defaults.purge_delay);
	EXPECT(config_start());
	EXPECT(config.purge_delay == 3);
	setenv("LANEMALLOC_CONF", "purge_delay=4,foo=1", 1);
	EXPECT(config_start());
	EXPECT(config.purge_delay == 3);
}

static void start_without_variable(void)
{
	unsetenv("LANEMALLOC_CONF");
	setenv("LANEMALLOC_CON", "foo=1", 1);
	setenv("LANEMALLOC_CONFX", "foo=1", 1);
	EXPECT(config_start());
	EXPECT(!memcmp(&config, &defaults, sizeof(config)));
}

static void start_privileged(void)
{
	setenv("LANEMALLOC_CONF", "purge_delay=3,foo=1", 1);
	at_secure = 1;
	EXPECT(config_start());
	EXPECT(!memcmp(&config, &defaults, sizeof(config)));
}

static void start_with_limits(void)
{
	setenv("LANEMALLOC_CONF", "limit_soft=2m,limit_hard=1m", 1);
	EXPECT(config_start());
	EXPECT(config.limit_soft == 2 << 20);
}

static void start_with_fitting_limits(void)
{
	setenv("LANEMALLOC_CONF", "limit_soft=1m,limit_hard=1m", 1);
	EXPECT(config_start());
}

/* No environment: not ready, and a later call may be. */
static void start_too_early(void)
{
	char *list[] = { "LANEMALLOC_CONF=purge_delay=3", NULL };

	environ = NULL;
	EXPECT(!config_start());
	EXPECT(!config_start());
	EXPECT(!memcmp(&config, &defaults, sizeof(config)));
	environ = list;
	EXPECT(config_start());
	EXPECT(config.purge_delay == 3);
	environ = NULL;
	EXPECT(config_start());
}

TEST(test_start)
{
	assert_child(start_reads_once, WARNING "unknown key 'foo'\n", 0);
	assert_child(start_without_variable, "", 0);
	assert_child(start_privileged, "", 0);
	assert_child(start_too_early, "", 0);
	assert_child(start_with_limits,
		     "lanemalloc: limit_soft=2097152 is above "
		     "limit_hard=1048576: without effect\n", 0);
	assert_child(start_with_fitting_limits, "", 0);
}

TEST_MAIN(NULL, NULL)
