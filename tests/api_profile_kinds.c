/* modes: all no-qemu */
/* timeout: 120 */
/* what profiles tell beyond sums: what blocks pin, how long they lived, what is
 * left at exit */
#include "expect.h"

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
	free_each(blocks);
	q = profile_now();
	must(q.values[FREED_OBJECTS] - p.values[FREED_OBJECTS] >= 50);
	must(q.values[FREED_10MS] - p.values[FREED_10MS] <=
	     q.values[FREED_OBJECTS] - p.values[FREED_OBJECTS] - 30);
	must(q.values[FREED_10MS] <= q.values[FREED_1S]);
	must(q.values[FREED_1S] <= q.values[FREED_1MIN]);
	must(q.values[FREED_1MIN] <= q.values[FREED_OBJECTS]);
	must(q.values[FREED_1MIN] - p.values[FREED_1MIN] >= 50);
}

#define NR_PASSED 10

static void *passed[NR_PASSED];

static void pass_fill(size_t size)
{
	for (size_t i = 0; i < NR_PASSED; i++)
		passed[i] = opaque(malloc(size));
}

static void *pass_free(void *arg)
{
	free_each(passed);
	return arg;
}

/* To the n-th CPU that the process may use; whether there are so many. */
static bool move_to(int n)
{
	static cpu_set_t all;
	cpu_set_t one;
	int cpu = -1;

	if (!CPU_COUNT(&all))
		must(!sched_getaffinity(0, sizeof(all), &all));
	while (n >= 0 && ++cpu < CPU_SETSIZE)
		n -= CPU_ISSET(cpu, &all) != 0;
	CPU_ZERO(&one);
	return n < 0 && (CPU_SET(cpu, &one), true) &&
	       !sched_setaffinity(0, sizeof(one), &one);
}

/* A realloc that moves to a larger block counts, one that stays, shrinks or
 * begins does not. */
TEST_ROLE(grown, EXACT)
{
	struct profile p, q;
	void *block;

	must(!LANE(lanemalloc_profile_start)());
	p = profile_now();
	block = opaque(realloc(NULL, 100));
	block = opaque(realloc(block, 101));
	for (size_t size = 1000; size <= 5000; size += 1000)
		block = opaque(realloc(block, size));
	block = opaque(realloc(block, 4999));
	block = opaque(realloc(block, 10));
	free(block);
	q = profile_now();
	must(q.values[GROWN_OBJECTS] - p.values[GROWN_OBJECTS] == 5);
	must(q.values[GROWN_SPACE] - p.values[GROWN_SPACE] == 15000);
}

/* By the thread that allocates, by another, on the same CPU and on another. */
TEST_ROLE(passed, EXACT ",index=cpu_id")
{
	bool by_cpu = !strcmp(LANE(lanemalloc_mode)(NULL), "cpu_id");
	struct profile p, q;

	must(move_to(0));
	must(!LANE(lanemalloc_profile_start)());
	pass_fill(1000);
	pass_free(NULL);
	p = profile_now();
	pass_fill(1000);
	pass_free(NULL);
	q = profile_now();
	must(q.values[FREED_BY_OTHER] == p.values[FREED_BY_OTHER]);
	must(q.values[FREED_AWAY] == p.values[FREED_AWAY]);
	pass_fill(1000);
	thread_run(pass_free, NULL);
	p = profile_now();
	must(p.values[FREED_BY_OTHER] - q.values[FREED_BY_OTHER] >= NR_PASSED);
	pass_fill(1000);
	if (by_cpu && move_to(1)) {
		pass_free(NULL);
		q = profile_now();
		must(q.values[FREED_AWAY] - p.values[FREED_AWAY] == NR_PASSED);
	}
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
	role_ends("leak", EXACT ",profile_leak=1m,profile_leak_exit=23");
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
