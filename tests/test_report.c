/* system/report.h: the formatter against snprintf, lines, and how it ends */
#include <signal.h>
#include <stdio.h>
#include <limits.h>
#include <sys/resource.h>

#include "capture.h"
#include "cases.h"
#include "system/fault.h"
#include "system/report.h"

#define PREFIX "lanemalloc: "

/* Both formatters, with every buffer size from 0 to one too many. */
#define SAME_AS_LIBC(...)                                               \
	do {                                                            \
		char ours[256], libcs[256];                             \
		int length = snprintf(libcs, 256, __VA_ARGS__);         \
		size_t size;                                            \
		for (size = 0; size <= (size_t)length + 2; size++) {    \
			memset(ours, '#', sizeof(ours));                \
			memset(libcs, '#', sizeof(libcs));              \
			snprintf(libcs, size, __VA_ARGS__);             \
			assert_int_equal(                               \
				report_format(ours, size, __VA_ARGS__), \
				length);                                \
			assert_memory_equal(ours, libcs, sizeof(ours)); \
		}                                                       \
	} while (0)

TEST(test_int)
{
	static const int values[] = {
		0, 1, -1, 9, 10, -10, 4711, INT_MAX, INT_MIN, INT_MIN + 1
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		SAME_AS_LIBC("%d", values[i]);
		SAME_AS_LIBC("<%u>", (unsigned)values[i]);
		SAME_AS_LIBC("%x|", (unsigned)values[i]);
	}
}

TEST(test_long)
{
	long value;
	unsigned i, minus;

	for (i = 0; i < 128; i++) {
		minus = i & 1;
		value = (long)((1UL << i / 2) - minus);
		SAME_AS_LIBC("%ld %lu %lx", value, (unsigned long)value,
			     (unsigned long)value);
		SAME_AS_LIBC("%lld %llu %llx", (long long)value,
			     (unsigned long long)value,
			     (unsigned long long)value);
		SAME_AS_LIBC("%zd %zu %zx", (ssize_t)value, (size_t)value,
			     (size_t)value);
	}
	SAME_AS_LIBC("%ld", LONG_MIN);
	SAME_AS_LIBC("%lu", ULONG_MAX);
}

TEST(test_text)
{
	const char *volatile null = NULL;
	char buf[32];
	int n;

	SAME_AS_LIBC("plain");
	SAME_AS_LIBC("%s%c%s%%", "one", ',', "");
	SAME_AS_LIBC("%%%d%%%s%%", 5, "x");
	for (n = -1; n < 8; n++)
		SAME_AS_LIBC("[%.*s]", n, "abcde");
	SAME_AS_LIBC("%p", (void *)0x1234abcd);
	assert_int_equal(report_format(buf, sizeof(buf), "%s", null), 6);
	assert_string_equal(buf, "(null)");
	assert_int_equal(report_format(buf, sizeof(buf), "%p", NULL), 3);
	assert_string_equal(buf, "0x0");
}

/* More arguments than registers hold: the list is walked, not restarted. */
TEST(test_many_arguments)
{
	SAME_AS_LIBC("%d %ld %s %c %u %zu %x %lx %s %d %p", 1, 2L, "3", '4', 5u,
		     (size_t)6, 7u, 8UL, "9", 10, (void *)11);
}

/* The formats are no literals: the compiler would refuse some of them. */
TEST(test_unknown_directive)
{
	static const char *const formats[] = { "a%fb%d", "a%5d",  "a%",
					       "a%l",    "a%ls",  "a%zc",
					       "a%.*d",  "a%.3s", "a%-d",
					       "a%l%" };
	char buf[32];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *volatile fmt = formats[i];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		assert_int_equal(report_format(buf, sizeof(buf), fmt),
				 strlen(formats[i]));
#pragma GCC diagnostic pop
		assert_string_equal(buf, formats[i]);
	}
}

TEST(test_line)
{
	struct capture capture;

	capture_begin(&capture);
	report_line("%s=%d", "answer", 42);
	report_line("a\nb\tc\x7f\x1b[0m%s", "\r");
	assert_string_equal(capture_end(&capture),
			    PREFIX "answer=42\n" PREFIX "a?b?c??[0m?\n");
}

/* Every length around the end of the line's buffer. */
TEST(test_long_line)
{
	const size_t room = REPORT_LINE_SIZE - strlen(PREFIX) - 1;
	char text[REPORT_LINE_SIZE + 10];
	struct capture capture;
	size_t length, want;
	const char *line;

	for (length = room - 3; length < room + 8; length++) {
		memset(text, 'x', length);
		text[length] = '\0';
		capture_begin(&capture);
		report_line("%s", text);
		line = capture_end(&capture);
		want = length < room ? length : room;
		assert_int_equal(strlen(line), strlen(PREFIX) + want + 1);
		assert_int_equal(strspn(line + strlen(PREFIX), "x"), want);
		assert_int_equal(line[strlen(line) - 1], '\n');
	}
}

/* How a fault ends, in a child that prepares its signals first */

static void no_core(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static void fault_plainly(void)
{
	no_core();
	fault("block %p is %s", (void *)0x10, "free");
}

static void fault_while_blocked(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	fault_plainly();
}

static void fault_while_ignored(void)
{
	signal(SIGABRT, SIG_IGN);
	fault_plainly();
}

static void say_handler(int number)
{
	(void)number;
	report_line("handler");
}

static void fault_with_handler(void)
{
	signal(SIGABRT, say_handler);
	fault_plainly();
}

static void leave(int number)
{
	(void)number;
	_exit(7);
}

static void fault_with_leaving_handler(void)
{
	signal(SIGABRT, leave);
	fault_plainly();
}

enum { CHECK_LINE = __LINE__ + 5 };

static void break_check(void)
{
	no_core();
	check(1 + 1 == 3);
}

static void keep_check(void)
{
	check(1 + 1 == 2);
	debug_check(1 + 1 == 2);
}

TEST(test_fault)
{
	const char *text = PREFIX "block 0x10 is free\n";

	assert_child(fault_plainly, text, SIGABRT);
	assert_child(fault_while_blocked, text, SIGABRT);
	assert_child(fault_while_ignored, text, SIGABRT);
	assert_child(fault_with_handler,
		     PREFIX "block 0x10 is free\n" PREFIX "handler\n",
		     SIGABRT);
	assert_child(fault_with_leaving_handler, text, 7);
}

TEST(test_check)
{
	char text[256];

	snprintf(text, sizeof(text),
		 PREFIX "%s:%d: invariant broken: 1 + 1 == 3\n", __FILE__,
		 CHECK_LINE);
	assert_child(keep_check, "", 0);
	assert_child(break_check, text, SIGABRT);
}

TEST_MAIN(NULL, NULL)
