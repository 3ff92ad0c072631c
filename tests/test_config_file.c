/* system/config_file.h: root's file, the environment's files, and who may name
 * them; files are texts of this one
 */
#include "config_fixture.h"
#include <errno.h>

#include "system/config_file.h"
#include "system/files.h"

/* Two files at most, open or not. */
static struct {
	const char *path, *text;
	size_t at;
	int nr_open;
} files[2];
static size_t piece; /* bytes that one read gives */
static size_t broken_at;

FIXTURE(whole)
{
	piece = 100000;
	broken_at = SIZE_MAX;
}

int system_open(const char *path)
{
	for (int i = 0; i < 2; i++) {
		if (!files[i].path || strcmp(files[i].path, path))
			continue;
		files[i].at = 0;
		files[i].nr_open++;
		return i;
	}
	return -ENOENT;
}

void system_close(int fd)
{
	files[fd].nr_open--;
}

long system_read(int fd, char *buf, size_t size)
{
	size_t n = strlen(files[fd].text) - files[fd].at;

	n = n < size ? n : size;
	n = n < piece ? n : piece;
	if (files[fd].at >= broken_at)
		return -EIO;
	memcpy(buf, files[fd].text + files[fd].at, n);
	files[fd].at += n;
	return (long)n;
}

/* Of fault(), which nothing here comes to. */
int system_append(const char *path)
{
	(void)path;
	return -ENOENT;
}

int system_write(int fd, const char *buf, size_t size)
{
	(void)fd;
	(void)buf;
	(void)size;
	return -ENOENT;
}

static struct config got;

/* The warnings. */
static const char *read_text(const char *text, int result)
{
	static struct capture capture;

	files[1].path = "f";
	files[1].text = text;
	got = defaults;
	capture_begin(&capture);
	assert_int_equal(config_read(&got, "f", config_parse_line), result);
	assert_int_equal(files[1].nr_open, 0);
	return capture_end(&capture);
}

TEST(test_lines, whole)
{
	for (piece = 1; piece < 70; piece++) {
		assert_string_equal(
			read_text("# a comment, with=equal\n\n"
				  "purge_delay=7\n  stats = on\t\r\n"
				  "profile_dir = /a b, c \n"
				  "   # another\n"
				  "purge_delay=8\nverbose=1", 0), "");
		assert_int_equal(got.purge_delay, 8);
		assert_int_equal(got.stats, 1);
		assert_int_equal(got.verbose, 1);
		assert_string_equal(config_text(got.profile_dir), "/a b, c");
	}
	piece = 100000;
	assert_string_equal(read_text("", 0), "");
	assert_memory_equal(&got, &defaults, sizeof(got));
}

TEST(test_warnings, whole)
{
	assert_string_equal(
		read_text("foo=1\nstats=perhaps\nhallo\n=1\n@x\n"
			  "purge_delay=1,stats=1\n", 0),
		"lanemalloc: f: unknown key 'foo'\n"
		"lanemalloc: f: stats: 'perhaps' is not one of 0 1 off on "
		"false true no yes\n"
		"lanemalloc: f: 'hallo' is not key=value\n"
		"lanemalloc: f: '=1' is not key=value\n"
		"lanemalloc: f: '@x' is not key=value\n"
		"lanemalloc: f: purge_delay: '1,stats=1' is not a number from "
		"0 to 3600000 (k, m, g may follow)\n");
	assert_memory_equal(&got, &defaults, sizeof(got));
	read_text("a=\na=\na=\na=\na=\na=\na=\na=\na=\na=\na=\na=\na=\n", 0);
}

/* What no buffer holds is dropped, as far as the next line. */
TEST(test_long_lines, whole)
{
	static char text[3000];

	for (size_t n = CONFIG_LINE_MOST - 20; n < 2000; n++) {
		for (piece = 511; piece < 514; piece++) {
			snprintf(text, sizeof(text), "#%*s\nstats=1", (int)n,
				 "purge_delay=1");
			assert_string_equal(
				read_text(text, 0),
				n + 1 <= CONFIG_LINE_MOST ? "" :
				"lanemalloc: f: a line is too long\n");
			assert_int_equal(got.stats, 1);
			assert_int_equal(got.purge_delay, defaults.purge_delay);
		}
	}
}

#define CUT "purge_delay=5"

/* Of a line that was read in part nothing counts. */
TEST(test_half_a_line, whole)
{
	static char text[CONFIG_FILE_MOST + 1024];

	piece = 256;
	memset(text, '\n', sizeof(text) - 1);
	memcpy(text, "stats=1", strlen("stats=1"));
	memcpy(text + CONFIG_FILE_MOST + piece - strlen(CUT), CUT "00",
	       strlen(CUT "00"));
	assert_string_equal(read_text(text, 0),
			    "lanemalloc: f: what lies behind 65536 bytes is "
			    "not read\n");
	assert_int_equal(got.stats, 1);
	assert_int_equal(got.purge_delay, defaults.purge_delay);
	text[CONFIG_FILE_MOST] = '\0';
	assert_string_equal(read_text(text, 0), "");
	piece = strlen(CUT);
	broken_at = 1;
	assert_string_equal(read_text(CUT "00\n", -EIO), "");
	assert_int_equal(got.purge_delay, defaults.purge_delay);
}

TEST(test_errors, whole)
{
	broken_at = 0;
	assert_string_equal(read_text("stats=1\n", -EIO), "");
	assert_int_equal(got.stats, 0);
	piece = 8;
	broken_at = 8;
	assert_string_equal(read_text("stats=1\nverbose=1\n", -EIO), "");
	assert_int_equal(got.stats, 1);
	broken_at = SIZE_MAX;
	piece = 100000;
	assert_int_equal(config_read(&got, "none", config_parse_line), -ENOENT);
}

/* The environment over root's file, the later over the earlier. */
static void start_both(void)
{
	files[0].path = CONFIG_FILE;
	files[0].text = "purge_delay=1\nverbose=1\ncpu_cache=1m\n";
	files[1].path = "f";
	files[1].text = "purge_delay=2\nprofile_interval=5\n";
	setenv("LANEMALLOC_CONF",
	       "verbose=0,@f,profile_interval=6,@none,stats=1", 1);
	EXPECT(config_start());
	EXPECT(config.purge_delay == 2);
	EXPECT(config.profile_interval == 6);
	EXPECT(config.verbose == 0);
	EXPECT(config.cpu_cache == 1 << 20);
	EXPECT(config.stats == 1);
}

/* The environment is another's, and so are directory and signals. */
static void start_privileged(void)
{
	files[0].path = CONFIG_FILE;
	files[0].text = "purge_delay=1\nprofile=1\nprofile_signal=12\n";
	files[1].path = "f";
	files[1].text = "purge_delay=2\n";
	setenv("LANEMALLOC_CONF", "@f,stats=1", 1);
	at_secure = 1;
	EXPECT(config_start());
	EXPECT(config.purge_delay == 1);
	EXPECT(config.stats == 0);
	EXPECT(config.profile == 0);
	EXPECT(config.profile_signal == 0);
}

TEST(test_start, whole)
{
	assert_child(start_both,
		     "lanemalloc: LANEMALLOC_CONF: @none cannot be read: "
		     "error 2, no such file or directory\n", 0);
	assert_child(start_privileged, "", 0);
}

TEST_MAIN(NULL, NULL)
