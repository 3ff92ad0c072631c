/* system/cgroup.h, environ.h: what cgroup files and the environment say */
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "fake_system.h"
#include "system/cgroup.h"
#include "system/environ.h"

#define ROOT "/sys/fs/cgroup"
#define MIB ((uint64_t)1 << 20)

FIXTURE(fresh)
{
	fake_reset();
	fake_file("/proc/self/cgroup", NULL);
	fake_file(ROOT "/memory.max", NULL);
	fake_file(ROOT "/memory.high", NULL);
}

TEST(numbers)
{
	assert_int_equal(cgroup_number("max\n", 4), 0);
	assert_int_equal(cgroup_number("", 0), 0);
	assert_int_equal(cgroup_number("1048576\n", 8), MIB);
	assert_int_equal(cgroup_number("0\n", 2), 1);
	assert_int_equal(cgroup_number("12345", 3), 123);
}

TEST(events_add_up)
{
	static const char text[] = "low 1000\nhigh 3\nmax 20\noom 100\n"
				   "oom_kill 4000\n";

	assert_int_equal(cgroup_nr_events(text, sizeof(text) - 1), 123);
	assert_int_equal(cgroup_nr_events("high 3\nmax 2", 12), 5);
	assert_int_equal(cgroup_nr_events("xhigh 3\n", 8), 0);
	assert_int_equal(cgroup_nr_events("", 0), 0);
}

TEST(what_is_sensible_to_hold)
{
	assert_int_equal(cgroup_soft_size(0, 0), 0);
	assert_int_equal(cgroup_soft_size(5 * MIB, 0), 5 * MIB);
	assert_int_equal(cgroup_soft_size(0, 8 * MIB), 7 * MIB);
	assert_int_equal(cgroup_soft_size(5 * MIB, 8 * MIB), 5 * MIB);
	assert_int_equal(cgroup_soft_size(8 * MIB, 8 * MIB), 7 * MIB);
}

TEST(a_container, fresh)
{
	struct cgroup group;

	assert_false(cgroup_find_root(&group));
	fake_file(ROOT "/memory.max", "max\n");
	assert_false(cgroup_find_root(&group));
	fake_file(ROOT "/memory.max", "8388608\n");
	assert_true(cgroup_find_root(&group));
	assert_int_equal(group.most, 8 * MIB);
	assert_int_equal(group.high, 0);
	fake_file(ROOT "/memory.high", "4194304\n");
	assert_true(cgroup_find_root(&group));
	assert_int_equal(group.high, 4 * MIB);
	assert_string_equal(group.path, ROOT);
}

/* The tightest of all that the group lies in. */
TEST(a_service, fresh)
{
	struct cgroup group;

	fake_file("/proc/self/cgroup",
		  "1:cpu:/a\n0::/system.slice/a.service\n");
	assert_true(cgroup_find_own(&group));
	assert_string_equal(group.path, ROOT "/system.slice/a.service");
	assert_int_equal(group.most | group.high, 0);
	fake_file(ROOT "/system.slice/a.service/memory.max", "16777216\n");
	assert_true(cgroup_find_own(&group));
	assert_int_equal(group.most, 16 * MIB);
	assert_string_equal(group.path, ROOT "/system.slice/a.service");
	fake_file(ROOT "/system.slice/memory.high", "4194304\n");
	assert_true(cgroup_find_own(&group));
	assert_int_equal(cgroup_soft_size(group.high, group.most), 4 * MIB);
	assert_string_equal(group.path, ROOT "/system.slice");
	fake_file(ROOT "/memory.max", "1048576\n");
	assert_true(cgroup_find_own(&group));
	assert_int_equal(group.most, MIB);
	assert_string_equal(group.path, ROOT);
}

TEST(a_group_that_is_the_root, fresh)
{
	struct cgroup group;

	fake_file("/proc/self/cgroup", "0::/\n");
	fake_file(ROOT "/memory.max", "1048576\n");
	assert_true(cgroup_find_own(&group));
	assert_int_equal(group.most, MIB);
	assert_string_equal(group.path, ROOT);
}

TEST(no_group, fresh)
{
	static char path[600];
	struct cgroup group;

	assert_false(cgroup_find_own(&group));
	fake_file("/proc/self/cgroup", "4:memory:/a\n");
	assert_false(cgroup_find_own(&group));
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "0::/", 4);
	fake_file("/proc/self/cgroup", path);
	assert_false(cgroup_find_own(&group));
}

TEST(variables)
{
	setenv("LANE_TEST", "a=b", 1);
	setenv("LANE_TEST_TOO", "", 1);
	assert_string_equal(environ_find("LANE_TEST"), "a=b");
	assert_string_equal(environ_find("LANE_TEST_TOO"), "");
	assert_null(environ_find("LANE_TES"));
	assert_null(environ_find("LANE_TEST_TOO_LONG"));
}

static void decodes(const char *text, const char *expected)
{
	char out[64];
	long n = environ_decode(text, out, sizeof(out));

	assert_int_equal(n, expected ? (long)strlen(expected) : -1);
	if (n > 0)
		assert_memory_equal(out, expected, (size_t)n);
}

TEST(base64)
{
	char out[2];

	decodes("", "");
	decodes("c29tZSAyMDAwMDAgMjAwMDAwMA==", "some 200000 2000000");
	decodes("Zg==", "f");
	decodes("Zm8=", "fo");
	decodes("Zm9v", "foo");
	decodes("+/8", "\xfb\xff");
	decodes("Zm9v!", NULL);
	decodes("=Zm9v", NULL);
	assert_int_equal(environ_decode("Zm9v", out, 2), -1);
	assert_int_equal(environ_decode("Zm8=", out, 2), 2);
}

TEST_MAIN(NULL, NULL)
