/* modes: all no-qemu */
/* LANEMALLOC_CONF: every option, warnings, verbose, stats, privileges */
#include "expect.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "system/config.h"

ROLE(nothing)
{
	void *p = malloc(100);

	must(p);
	free(p);
}

ROLE(mode)
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

			pattern_free(blocks[i], n, i);
		}
	}
	return arg;
}

ROLE(use)
{
	threads_run(4, use);
	LANE(lanemalloc_purge)();
	use(NULL);
}

ROLE(pid)
{
	must(printf("pid %d\n", getpid()) > 0);
}

ROLE(signal)
{
	void *large;

	must(!raise(SIGUSR1));
	large = opaque(malloc(10 * MIB));
	must(!raise(SIGUSR1));
	role_pid();
	/* Also at exit. */
	(void)large;
}

#define PARTS "/tmp/api_config_parts"

/* As a process of our id that was killed leaves it. */
ROLE(part_left)
{
	char part[64];
	int fd;

	role_pid();
	snprintf(part, sizeof(part), PARTS ".%d.%d.0.part", getpid(), getpid());
	must((fd = creat(part, 0600)) >= 0 && !close(fd));
}

TEST_LANE(test_silent)
{
	role_passes("nothing", NULL);
	assert_string_equal(child.out, "");
	role_passes("use", "");
	role_passes("nothing", ",,");
}

/* One line of warning that names the culprit, and the program runs. */
static void check_warning(const char *conf, const char *names)
{
	role_runs("use", conf);
	if (lines_of(child.err, "\n") != 1 || !strstr(child.err, names))
		print_message("%s: %s\n", conf, child.err);
	assert_int_equal(lines_of(child.err, "\n"), 1);
	assert_int_equal(strncmp(child.err, "lanemalloc: ", 12), 0);
	assert_non_null(strstr(child.err, names));
}

TEST_LANE(test_warnings)
{
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
TEST_LANE(test_warning_beside_option)
{
	role_runs("mode", "wrong=1,rseq=off,index=wrong");
	assert_int_equal(lines_of(child.err, "\n"), 2);
	assert_int_equal(strncmp(child.out, "direct|", 7), 0);
}

TEST_LANE(test_rseq_off)
{
	static const char *const words[] = { "rseq=off", "rseq=0", "rseq=no",
					     "rseq=false" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		role_passes("mode", words[i]);
		assert_int_equal(strncmp(child.out, "direct|", 7), 0);
		assert_true(strlen(child.out) > strlen("direct|\n"));
	}
	role_runs("mode", "rseq=off,rseq=on");
	assert_true(is_direct() == (strncmp(child.out, "direct|", 7) == 0));
}

TEST_LANE(test_index)
{
	if (is_direct())
		skip();
	role_runs("mode", "index=cpu_id");
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

TEST_LANE(test_verbose)
{
	char text[256];
	const char *why;

	role_runs("nothing", "verbose=1");
	assert_non_null(strstr(child.err, LANE(lanemalloc_version)()));
	assert_non_null(strstr(child.err, LANE(lanemalloc_mode)(&why)));
	assert_non_null(strstr(child.err, why));
#define FIND(name, kind, value, least, most, help)              \
	snprintf(text, sizeof(text), "%s=", #name);             \
	assert_non_null(strstr(child.err, text));
	CONFIG_OPTIONS(FIND)
#undef FIND
	assert_non_null(strstr(child.err, "verbose=on"));
	role_runs("nothing",
	    "verbose=1,purge_delay=77,cpu_cache=3m,usable=requested");
	assert_non_null(strstr(child.err, ",purge_delay=77,"));
	assert_non_null(strstr(child.err, ",cpu_cache=3145728,"));
	assert_non_null(strstr(child.err, ",usable=requested,profile=off,"));
	assert_true(lines_of_child() >= 3);
}

TEST_LANE(test_stats)
{
	role_runs("use", "stats=1");
#define FIND(name, unit, help) assert_non_null(strstr(child.err, #name));
	LANEMALLOC_STATS(FIND)
#undef FIND
	assert_non_null(strstr(child.err, LANE(lanemalloc_mode)(NULL)));
}

static char file_path[64], file_text[1 << 20];

/* What stands in the file of that process; it is gone then. */
static const char *file_of(const char *end, int pid)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s.%d%s", file_path, pid, end);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(file_text, 1, sizeof(file_text) - 1, f);
	file_text[n] = '\0';
	fclose(f);
	unlink(path);
	return file_text;
}

static int pid_of_child(void)
{
	int pid = 0;

	assert_int_equal(sscanf(child.out, "pid %d", &pid), 1);
	return pid;
}

/* The file and nothing on stderr; the name tells process and form. */
TEST_LANE(test_stats_file)
{
	char conf[128];
	int pid;

	snprintf(file_path, sizeof(file_path), "/tmp/api_config.%d%%x",
		 getpid());
	snprintf(conf, sizeof(conf), "stats_file=/tmp/api_config.%d%%%%x.%%p",
		 getpid());
	role_passes("pid", conf);
	pid = pid_of_child();
#define FIND(name, unit, help) \
	assert_non_null(strstr(file_of_once, "\n" #name " "));
	const char *file_of_once = file_of("", pid);
	assert_int_equal(strncmp(file_of_once, "statistics; mode ", 17), 0);
	LANEMALLOC_STATS(FIND)
#undef FIND
	strcat(conf, ".json");
	role_runs("pid", conf);
	file_of(".json", pid_of_child());
	assert_int_equal(strncmp(file_text, "{\"version\": ", 12), 0);
	assert_non_null(strstr(file_text, "\"cpus\": ["));
	strcpy(strrchr(conf, '.'), ".prom");
	role_runs("pid", conf);
	file_of(".prom", pid_of_child());
	assert_int_equal(strncmp(file_text, "# HELP lanemalloc_info ", 23), 0);
	assert_non_null(strstr(file_text, "\nlanemalloc_cpu_cached_bytes{"));
}

/* Each signal replaces what was there; nothing else is left. */
TEST_LANE(test_stats_signal)
{
	char conf[128];

	role_runs("signal", "stats_signal=10");
	assert_non_null(strstr(child.err, "lanemalloc: statistics; mode "));
	assert_non_null(strstr(child.err, "\nlanemalloc: nr_fitted_classes"));
	snprintf(file_path, sizeof(file_path), "/tmp/api_config.%d", getpid());
	snprintf(conf, sizeof(conf), "stats_signal=10,stats_file=%s.%%p.json",
		 file_path);
	role_passes("signal", conf);
	file_of(".json", pid_of_child());
	assert_non_null(strstr(file_text, "\"nr_large\": 1,"));
	snprintf(conf, sizeof(conf), "ls -d %s* 2>/dev/null", file_path);
	assert_int_not_equal(system(conf), 0);
}

TEST_LANE(test_part_left)
{
	char path[64];

	role_passes("part_left", "stats_file=" PARTS ".%p");
	snprintf(path, sizeof(path), PARTS ".%d", pid_of_child());
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), PARTS ".%d.%d.0.part", pid_of_child(),
		 pid_of_child());
	assert_int_equal(unlink(path), 0);
}

/* What is no file of its own stays what it is: a pipe gets the text. */
TEST_LANE(test_stats_in_a_pipe)
{
	char path[64], conf[96];
	struct stat now;
	int fd;

	snprintf(path, sizeof(path), "/tmp/api_config.%d.pipe", getpid());
	snprintf(conf, sizeof(conf), "stats_file=%s", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	role_passes("pid", conf);
	assert_int_equal(lstat(path, &now), 0);
	assert_true(S_ISFIFO(now.st_mode));
	assert_true(read(fd, file_text, sizeof(file_text)) > 1000);
	assert_int_equal(strncmp(file_text, "statistics; mode ", 17), 0);
	close(fd);
	role_runs("pid", conf);
	assert_non_null(strstr(child.err, "not written to"));
	assert_int_equal(lstat(path, &now), 0);
	assert_true(S_ISFIFO(now.st_mode));
	assert_int_equal(unlink(path), 0);
}

/* Nor is a link to the standard error, as /dev/stderr is one, replaced. */
TEST_LANE(test_stats_on_stderr)
{
	char path[64], conf[96];
	struct stat now;

	snprintf(path, sizeof(path), "/tmp/api_config.%d.link", getpid());
	snprintf(conf, sizeof(conf), "stats_file=%s", path);
	assert_int_equal(symlink("/proc/self/fd/2", path), 0);
	role_runs("pid", conf);
	assert_non_null(strstr(child.err, "statistics; mode "));
	assert_int_equal(lstat(path, &now), 0);
	assert_true(S_ISLNK(now.st_mode));
	assert_int_equal(unlink(path), 0);
}

/* Who cannot write says where and why, and goes on. */
TEST_LANE(test_unwritten)
{
	char want[256];

	role_runs("pid", "stats_file=/no/such/%p.json");
	snprintf(want, sizeof(want),
		 "lanemalloc: pid %d: statistics are not written to "
		 "/no/such/%d.json: error 2, no such file or directory: see "
		 "stats_file\n", pid_of_child(), pid_of_child());
	assert_string_equal(child.err, want);
	role_runs("pid", "profile=1,profile_dir=/no/such");
	snprintf(want, sizeof(want),
		 "lanemalloc: pid %d: the profile is not written to "
		 "/no/such/exe.%d.0.pb.gz: error 2, no such file or directory: "
		 "see profile_dir\n", pid_of_child(), pid_of_child());
	assert_string_equal(child.err, want);
}

/* Neither one that has no handler, nor one that comes again for ever where a
 * handler returns. */
TEST_LANE(test_refused_signals)
{
	static const int refused[] = { SIGKILL, SIGSEGV, SIGBUS, SIGFPE,
				       SIGILL, SIGTRAP, SIGSYS };
	char conf[64], want[256];

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		snprintf(conf, sizeof(conf), "stats_signal=%d", refused[i]);
		role_runs("pid", conf);
		snprintf(want, sizeof(want),
			 "lanemalloc: pid %d: %s: error 22, no valid value\n",
			 pid_of_child(), conf);
		assert_string_equal(child.err, want);
	}
}

/* Under each option, at both ends of its range, programs run. */
TEST_LANE(test_every_option)
{
	static const char *const more[] = {
		"hugepage=auto", "hugepage=on", "hugepage=off",
		"hugepage=system",
		"numa=off", "numa=interleave",
		"index=mm_cid", "index=cpu_id",
		"usable=real",
		"large_guard=all", "large_guard=off",
		"usable=requested",
		"hardened=1,mte=async",
		"cpu_cache=64k",
		"purge_budget=1g",
		"purge_delay=0,purge_budget=0,reclaimer=0",
		"checks=0", "checks=1", "checks=fast", "checks=full",
		"checks=off", "checks=on", "checks=fast,usable=requested",
		"checks=fast,rseq=off", "checks=1,usable=requested",
		"checks=1,rseq=off",
		"cpu_cache=1,purge_budget=0",
		"limit=cgroup", "limit=off", "limit=cgroup,pressure=on",
		"limit_soft=1m,limit_hard=64m",
	};
	char conf[128];

#define TRY_BOOL(name, least, most) TRY_NUMBER(name, least, most)
#define TRY_NUMBER(name, least, most)                                 \
	/* profile=1 writes a file: api_profile.c. */                 \
	for (int i = 0; i < 2 - !strcmp(name, "profile"); i++) {      \
		snprintf(conf, sizeof(conf), "%s=%llu", name,         \
			 (unsigned long long)(i ? (most) : (least))); \
		role_runs("use", conf);                                     \
		if (strcmp(name, "verbose") && strcmp(name, "stats")) \
			assert_string_equal(child.err, "");           \
	}
#define TRY_CHOICE_index(name, least, most)
#define TRY_CHOICE_numa(name, least, most)
#define TRY_CHOICE_hugepage(name, least, most)
#define TRY_CHOICE_mte(name, least, most)
#define TRY_CHOICE_usable(name, least, most)
#define TRY_CHOICE_checks(name, least, most)
#define TRY_CHOICE_large_guard(name, least, most)
#define TRY_CHOICE_profile_form(name, least, most)
#define TRY_CHOICE_limit(name, least, most)
#define TRY_TEXT(name, least, most)
#define TRY(name, kind, value, least, most, help) TRY_##kind(#name, least, most)
	CONFIG_OPTIONS(TRY)
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		role_passes("use", more[i]);
	}
}

API_MAIN(NULL, NULL)
