/* modes: all no-qemu */
/* LANEMALLOC_CONF: every option, warnings, verbose, stats, privileges */
#include "expect.h"

#include "system/config.h"

static struct child child;

static void role_nothing(void)
{
	void *p = malloc(100);

	must(p);
	free(p);
}

static void role_mode(void)
{
	const char *why;
	const char *mode = LANE(lanemalloc_mode)(&why);

	must(printf("%s|%s\n", mode, why) > 0);
}

/* The heap is used by threads and in all sizes; for each option. */
static void *use(void *arg)
{
	char *blocks[200];

	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
			size_t n = i * i * (i % 10 == 0 ? 7 : 1);

			blocks[i] = malloc(n);
			must(blocks[i]);
			pattern_fill(blocks[i], n, i);
		}
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
			size_t n = i * i * (i % 10 == 0 ? 7 : 1);

			must(pattern_holds(blocks[i], n, i));
			free(blocks[i]);
		}
	}
	return arg;
}

static void role_use(void)
{
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, use, NULL));
	use(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	LANE(lanemalloc_purge)();
	use(NULL);
}

static const struct role roles[] = {
	{ "nothing", role_nothing },
	{ "mode", role_mode },
	{ "use", role_use },
};

static void run(const char *role, const char *conf)
{
	child.role = role;
	child.conf = conf;
	child_run(&child);
	assert_true(child_succeeded(&child));
}

static size_t nr_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

TEST(test_silent)
{
	need_lane();
	run("nothing", NULL);
	assert_string_equal(child.err, "");
	assert_string_equal(child.out, "");
	run("use", "");
	assert_string_equal(child.err, "");
	run("nothing", ",,");
	assert_string_equal(child.err, "");
}

/* One line of warning that names the culprit, and the program runs. */
static void check_warning(const char *conf, const char *names)
{
	run("use", conf);
	if (nr_lines(child.err) != 1 || !strstr(child.err, names))
		print_message("%s: %s\n", conf, child.err);
	assert_int_equal(nr_lines(child.err), 1);
	assert_int_equal(strncmp(child.err, "lanemalloc: ", 12), 0);
	assert_non_null(strstr(child.err, names));
}

TEST(test_warnings)
{
	need_lane();
	check_warning("no_such_key=1", "no_such_key");
	check_warning("stats", "stats");
	check_warning("=1", "=1");
	check_warning("stats=2", "stats");
	check_warning("stats=maybe", "maybe");
	check_warning("index=banana", "banana");
	check_warning("purge_delay=99999999999", "purge_delay");
	check_warning("purge_delay=-1", "-1");
	check_warning("purge_delay=10x", "10x");
	check_warning("purge_delay=18446744073709551617", "purge_delay");
	check_warning("cpu_cache=99999g", "cpu_cache");
	check_warning("cpu_cache=", "cpu_cache");
	check_warning("usable=request", "request");
}

/* What is wrong is left out; what is right beside it counts. */
TEST(test_warning_beside_option)
{
	need_lane();
	run("mode", "wrong=1,rseq=off,index=wrong");
	assert_int_equal(nr_lines(child.err), 2);
	assert_int_equal(strncmp(child.out, "direct|", 7), 0);
}

TEST(test_rseq_off)
{
	static const char *const words[] = { "rseq=off", "rseq=0", "rseq=no",
					     "rseq=false" };

	need_lane();
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		run("mode", words[i]);
		assert_string_equal(child.err, "");
		assert_int_equal(strncmp(child.out, "direct|", 7), 0);
		assert_true(strlen(child.out) > strlen("direct|\n"));
	}
	run("mode", "rseq=off,rseq=on");
	assert_true(is_direct() == (strncmp(child.out, "direct|", 7) == 0));
}

TEST(test_index)
{
	need_lane();
	if (is_direct())
		skip();
	run("mode", "index=cpu_id");
	assert_int_equal(strncmp(child.out, "cpu_id|", 7), 0);
}

/* Each is complete, and says which process wrote it. */
static int lines_of_child(void)
{
	const char *line = child.err, *end;
	int pid, n;

	for (n = 0; *line; line = end + 1, n++) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_int_equal(sscanf(line, "lanemalloc: pid %d: ", &pid), 1);
		assert_true(pid > 1 && pid != getpid());
	}
	return n;
}

TEST(test_verbose)
{
	char text[256];
	const char *why;

	need_lane();
	run("nothing", "verbose=1");
	assert_non_null(strstr(child.err, LANE(lanemalloc_version)()));
	assert_non_null(strstr(child.err, LANE(lanemalloc_mode)(&why)));
	assert_non_null(strstr(child.err, why));
#define FIND(name, kind, value, least, most, help)              \
	snprintf(text, sizeof(text), "%s=", #name);             \
	assert_non_null(strstr(child.err, text));
	CONFIG_OPTIONS(FIND)
#undef FIND
	assert_non_null(strstr(child.err, "verbose=on"));
	run("nothing",
	    "verbose=1,purge_delay=77,cpu_cache=3m,usable=requested");
	assert_non_null(strstr(child.err, ",purge_delay=77,"));
	assert_non_null(strstr(child.err, ",cpu_cache=3145728,"));
	assert_non_null(strstr(child.err, ",usable=requested,profile=off,"));
	assert_int_equal(lines_of_child(), 3);
}

TEST(test_stats)
{
	need_lane();
	run("use", "stats=1");
#define FIND(name, unit, help) assert_non_null(strstr(child.err, #name));
	LANEMALLOC_STATS(FIND)
#undef FIND
	assert_non_null(strstr(child.err, LANE(lanemalloc_mode)(NULL)));
}

/* Under each option, at both ends of its range, programs run. */
TEST(test_every_option)
{
	static const char *const more[] = {
		"hugepage=auto",
		"hugepage=on",
		"hugepage=off",
		"hugepage=system",
		"numa=auto",
		"numa=off",
		"numa=interleave",
		"index=auto",
		"index=mm_cid",
		"index=cpu_id",
		"usable=real",
		"large_guard=all",
		"large_guard=off",
		"usable=requested",
		"cpu_cache=64k",
		"purge_budget=1g",
		"purge_delay=0,purge_budget=0,reclaimer=0",
		"checks=0",
		"checks=1",
		"checks=fast",
		"checks=full",
		"checks=off",
		"checks=on",
		"checks=fast,usable=requested",
		"checks=fast,rseq=off",
		"checks=1,usable=requested",
		"checks=1,rseq=off",
		"cpu_cache=1,purge_budget=0",
	};
	char conf[128];

	need_lane();
#define TRY_BOOL(name, least, most) TRY_NUMBER(name, least, most)
#define TRY_NUMBER(name, least, most)                                 \
	/* profile=1 writes a file: api_profile.c. */                 \
	for (int i = 0; i < 2 - !strcmp(name, "profile"); i++) {      \
		snprintf(conf, sizeof(conf), "%s=%llu", name,         \
			 (unsigned long long)(i ? (most) : (least))); \
		run("use", conf);                                     \
		if (strcmp(name, "verbose") && strcmp(name, "stats")) \
			assert_string_equal(child.err, "");           \
	}
#define TRY_CHOICE_index(name, least, most)
#define TRY_CHOICE_numa(name, least, most)
#define TRY_CHOICE_hugepage(name, least, most)
#define TRY_CHOICE_usable(name, least, most)
#define TRY_CHOICE_checks(name, least, most)
#define TRY_CHOICE_large_guard(name, least, most)
#define TRY_CHOICE_profile_form(name, least, most)
#define TRY_TEXT(name, least, most)
#define TRY(name, kind, value, least, most, help) TRY_##kind(#name, least, most)
	CONFIG_OPTIONS(TRY)
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		run("use", more[i]);
		assert_string_equal(child.err, "");
	}
}

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
