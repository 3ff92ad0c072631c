/* modes: all no-qemu */
/* timeout: 120 */
/* what profiles tell beyond sums: what blocks pin, how long they lived, what is
 * left at exit */

#include "profile_file.h"

#define NR_PINNING 200000

static void *pinning[NR_PINNING];

static __attribute__((noinline)) void fill_all(size_t size)
{
	for (size_t i = 0; i < NR_PINNING; i++)
		if (i % 64)
			pinning[i] = malloc(size);
		else
			pinning[i] = malloc(size - 1);
}

/* One block of 64 lives on, where a slab has 32: each pins a slab alone, once
 * those around it are gone. The rest of the profile's blocks stand by. */
TEST_ROLE(pinned, "profile_interval=16k")
{
	uint64_t slab = 0, nr = (NR_PINNING + 63) / 64;
	static struct lanemalloc_class_stats classes[100];
	struct profile p, with, after, none;
	size_t n = LANE(lanemalloc_stats_classes)(classes, sizeof(*classes),
						  100);

	for (size_t i = 0; i < n; i++)
		if (classes[i].size == 1024)
			slab = classes[i].slab_size;
	must(slab >= 32768);
	must(!LANE(lanemalloc_profile_start)());
	p = profile_now();
	fill_all(1024);
	with = profile_now();
	/* But for the slab that is being filled. */
	must(with.values[PINNED_SPACE] - p.values[PINNED_SPACE] <
	     20 * slab * with.period / 1024);
	for (size_t i = 0; i < NR_PINNING; i++)
		if (i % 64)
			free(pinning[i]);
	LANE(lanemalloc_purge)();
	after = profile_now();
	assert_estimate(after.values[PINNED_SPACE], (double)(nr * slab),
			(double)nr * 1024 / (double)after.period);
	for (size_t i = 0; i < NR_PINNING; i += 64)
		free(pinning[i]);
	none = profile_now();
	must(none.values[PINNED_SPACE] < after.values[PINNED_SPACE] / 10);
}

TEST_ROLE(ages, EXACT)
{
	static void *blocks[30];
	struct profile p, q;

	must(!LANE(lanemalloc_profile_start)());
	p = profile_now();
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = malloc(100);
	for (size_t i = 0; i < 20; i++)
		free(opaque(malloc(100)));
	usleep(40000);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		free(blocks[i]);
	q = profile_now();
	must(q.values[FREED_OBJECTS] - p.values[FREED_OBJECTS] >= 50);
	must(q.values[FREED_10MS] - p.values[FREED_10MS] <=
	     q.values[FREED_OBJECTS] - p.values[FREED_OBJECTS] - 30);
	must(q.values[FREED_10MS] <= q.values[FREED_1S]);
	must(q.values[FREED_1S] <= q.values[FREED_1MIN]);
	must(q.values[FREED_1MIN] <= q.values[FREED_OBJECTS]);
	must(q.values[FREED_1MIN] - p.values[FREED_1MIN] >= 50);
}

static void *leaked[3];

static __attribute__((noinline)) void leak_here(size_t size)
{
	for (size_t i = 0; i < 3; i++)
		leaked[i] = opaque(malloc(size));
}

/* What stands in a stream's buffer is written all the same. */
ROLE(leak)
{
	free(opaque(malloc(3 * MIB)));
	must(printf("buffered") > 0);
	leak_here(MIB);
}

/* The stack and its bytes, nothing that was freed, and the status. */
TEST_LANE(test_leak)
{
	char text[128], exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *at;

	exe[n] = '\0';
	child.role = "leak";
	child.conf = EXACT ",profile_leak=1m,profile_leak_exit=23";
	child_run(&child);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), 23);
	assert_string_equal(child.out, "buffered");
	snprintf(text, sizeof(text), ": not freed: %zu bytes in 3 blocks "
				     "(3 sampled)\n", 3 * MIB);
	at = strstr(child.err, text);
	assert_non_null(at);
	assert_null(strstr(at + strlen(text), "not freed"));
	at = strstr(at, ":   #0 ");
	assert_non_null(at);
	assert_memory_equal(at + 7, exe, strlen(exe));
	/* Less than that is none; the status is the program's. */
	role_passes("leak", EXACT ",profile_leak=4m,profile_leak_exit=23");
	role_runs("leak", EXACT ",profile_leak=1m");
	assert_non_null(strstr(child.err, "not freed"));
}

API_MAIN(dir_make, dir_remove)
