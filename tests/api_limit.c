/* modes: all */
/* lanemalloc_limit, limit_soft, limit_hard: what the program may have */
#include "expect.h"
#include "../stress/harness/memory.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define NR_BLOCKS 200000
#define HARD (64 * MIB)

static void *blocks[NR_BLOCKS];

static struct lanemalloc_limits limits_set(size_t soft, size_t hard)
{
	struct lanemalloc_limits set = { soft, hard }, now;

	must(LANE(lanemalloc_limit)(&set, &now, sizeof(now)) == sizeof(now));
	return now;
}

static size_t limited(void)
{
	return stats_now().limited_size;
}

static size_t fill(size_t size)
{
	size_t n = 0;

	while (n < NR_BLOCKS && (blocks[n] = malloc(size)))
		memset(blocks[n++], 1, size < 4096 ? size : 4096);
	return n;
}

static void empty(size_t n)
{
	while (n)
		free(blocks[--n]);
}

/* A limit below what there is, then one that refuses. */
ROLE(refused)
{
	void *p = malloc(opaque(8 * MIB));

	must(p);
	limits_set(0, 4 * MIB);
	must(!malloc(opaque(16 * MIB)) && !malloc(opaque(16 * MIB)));
	limits_set(4 * MIB, 0);
	free(p);
	limits_set(4 * MIB, 0);
}

/* A refusal is told without being asked for, once. */
TEST_LANE(a_refusal_is_told)
{
	role_runs("refused", NULL);
	assert_non_null(strstr(child.err, ": limit_hard=4194304 refuses a "
					  "request of 16777216 bytes; "
					  "requests refused since start: 1\n"));
	assert_int_equal(lines_of(child.err, "\n"), 1);
	role_passes("refused", "limit_report=0");
}

/* By the parent and by the child of its fork. */
ROLE(refused_in_a_child)
{
	limits_set(0, 4 * MIB);
	must(!malloc(opaque(16 * MIB)));
	child_passes(must(!malloc(opaque(16 * MIB))));
	must(!malloc(opaque(16 * MIB)));
}

TEST_LANE(each_process_tells)
{
	role_runs("refused_in_a_child", NULL);
	assert_int_equal(lines_of(child.err, " refuses "), 2);
}

/* The children of vfork have their parent's word, and leave it. */
ROLE(refused_in_vfork_children)
{
	pid_t pid;

	limits_set(0, 4 * MIB);
	for (unsigned i = 0; i < 3; i++) {
		pid = vfork();
		if (!pid)
			_exit(malloc(opaque(16 * MIB)) != NULL);
		must(exited_with_zero(pid));
		must(!malloc(opaque(16 * MIB)));
	}
}

TEST_LANE(one_of_vfork_tells_nothing)
{
	role_runs("refused_in_vfork_children", NULL);
	assert_int_equal(lines_of(child.err, " refuses "), 1);
}

/* A stderr that nobody reads, one that is full, and none. */
static void refused_beside(bool read, bool full)
{
	char text[4096] = { 0 };
	int ends[2];

	must(!pipe(ends) && dup2(ends[1], 2) == 2 && !close(ends[1]));
	must(read || !close(ends[0]));
	must(!fcntl(2, F_SETFL, O_NONBLOCK));
	while (full && write(2, text, sizeof(text)) > 0)
		;
	must(!fcntl(2, F_SETFL, 0));
	alarm(20);
	must(!malloc(opaque(16 * MIB)));
}

TEST_ROLE(not_told, "")
{
	limits_set(0, 4 * MIB);
	child_passes(refused_beside(false, false));
	child_passes(refused_beside(true, true));
	must(!close(2) && !malloc(opaque(16 * MIB)));
}

/* A program that has closed stderr, and has its data as 2; and its log. */
static size_t size_beside(const char *path, int flags)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | flags, 0600);
	struct stat at;

	must(fd == 2);
	must(!malloc(opaque(16 * MIB)));
	must(!fstat(fd, &at) && !close(fd) && !unlink(path));
	return (size_t)at.st_size;
}

TEST_ROLE(not_told_to_others_files, "limit_hard=4m")
{
	char path[64];
	int events;

	snprintf(path, sizeof(path), "/tmp/api_limit.%d", getpid());
	must(!close(2));
	must(!size_beside(path, 0));
	events = eventfd(0, EFD_NONBLOCK);
	must(events == 2);
	must(!malloc(opaque(16 * MIB)));
	must(!close(events));
	must(size_beside(path, O_APPEND));
}

/* Behind a filter, which may kill for more than memory's calls. */
TEST_ROLE(not_told_behind_a_filter, "")
{
	struct sock_filter allow =
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	limits_set(0, 4 * MIB);
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
	must(!malloc(opaque(16 * MIB)));
}

TEST_LANE(is_told)
{
	role_runs("refused", "verbose=1");
	assert_non_null(strstr(child.err, ": limit_hard=4194304 is set below "
					  "the "));
	assert_non_null(strstr(child.err, ": limit_soft=4194304 is set below "
					  "the "));
	assert_int_equal(lines_of(child.err, " is set below "), 2);
	assert_int_equal(lines_of(child.err, " refuses "), 1);
}

TEST_LANE(a_version_of_its_own)
{
	struct lanemalloc_limits set = { 512 * MIB, 1024 * MIB }, now;
	unsigned char larger[32];

	memset(&now, 0xee, sizeof(now));
	errno = 4711;
	assert_int_equal(LANE(lanemalloc_limit)(NULL, NULL, 0), sizeof(now));
	assert_int_equal(LANE(lanemalloc_limit)(&set, &now, 8), sizeof(now));
	assert_int_equal(errno, 4711);
	assert_int_equal(now.soft_size, 512 * MIB);
	assert_int_equal(((unsigned char *)&now)[8], 0xee);
	LANE(lanemalloc_limit)(NULL, &now, sizeof(now));
	assert_int_equal(now.soft_size, 512 * MIB);
	assert_int_equal(now.hard_size, 0);
	memset(larger, 0xee, sizeof(larger));
	LANE(lanemalloc_limit)(NULL, (void *)larger, sizeof(larger));
	assert_true(is_zero(larger + sizeof(now),
			    sizeof(larger) - sizeof(now)));
	limits_set(0, 0);
}

static void check_sizes(size_t size)
{
	size_t n, first;

	first = fill(size);
	assert_true(first < NR_BLOCKS);
	assert_int_equal(errno, ENOMEM);
	assert_true(limited() <= HARD);
	assert_true(first * size > HARD / 2);
	empty(first);
	/* It recovers, whatever the sizes were. */
	n = fill(size * 3);
	assert_true(n * size * 3 > HARD / 2);
	assert_true(limited() <= HARD);
	empty(n);
}

TEST_LANE(the_hard_limit)
{
	size_t sizes[] = { 1000, 5000, 40000, 300000, 5 * MIB };

	limits_set(0, HARD);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_sizes(sizes[i]);
	assert_true(stats_now().nr_limit_hits > 0);
	assert_int_equal(stats_now().limit_hard_size, HARD);
	limits_set(0, 0);
}

/* Every name says ENOMEM, and what was there is as it was. */
TEST_LANE(enomem_everywhere)
{
	size_t n = HARD;
	char *old;
	void *p;

	limits_set(0, HARD);
	old = malloc(1000);
	pattern_fill(old, 1000, 7);
	assert_no_memory(malloc(opaque(n)));
	assert_no_memory(calloc(opaque(n) / 8, 8));
	assert_no_memory(realloc(old, opaque(n)));
	assert_no_memory(reallocarray(opaque(old), opaque(n) / 8, 8));
	assert_no_memory(memalign(4096, opaque(n)));
	assert_no_memory(aligned_alloc(64, opaque(n)));
	assert_no_memory(valloc(opaque(n)));
	assert_int_equal(posix_memalign(&p, 64, opaque(n)), ENOMEM);
	pattern_free(old, 1000, 7);
	limits_set(0, 0);
}

/* Of n blocks the first of each `step` stay; how many. */
static size_t thin(size_t n, size_t step)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (i % step)
			free(blocks[i]);
		else
			blocks[k++] = blocks[i];
	}
	return k;
}

/* What CPUs' caches and half-empty slabs hold makes way for a large block. */
TEST_LANE(all_that_is_free_makes_way)
{
	size_t nr;
	void *large;

	limits_set(0, HARD);
	nr = thin(fill(1000), 1000);
	large = malloc(HARD / 2);
	assert_non_null(large);
	assert_true(limited() <= HARD);
	free(large);
	empty(nr);
	limits_set(0, 0);
}

TEST_LANE(lowered_below_what_is_used)
{
	size_t n;

	limits_set(0, HARD);
	n = fill(40000);
	limits_set(0, HARD / 4);
	assert_int_equal(stats_now().pressure_reason, 2);
	assert_no_memory(malloc(opaque(MIB)));
	empty(n);
	n = fill(40000);
	assert_true(limited() <= HARD / 4);
	assert_true(n * 40000 > HARD / 8);
	empty(n);
	limits_set(0, 0);
}

/* What waits makes room, for more than there ever was, too. */
TEST_ROLE(waits, "hardened=1,quarantine=64m", "checks=full,quarantine=64m")
{
	void *p;

	limits_set(0, HARD);
	p = malloc(opaque(24 * MIB));
	must(p);
	free(p);
	p = malloc(opaque(50 * MIB));
	must(p);
	free(p);
}

/* Nothing but the limit says that free memory goes: the budget is large. */
TEST_ROLE(soft, "purge_budget=1g,purge_delay=3600000")
{
	size_t nr = thin(fill(1000), 500), before;
	char *large;

	before = memory_now().resident;
	must(before > 120 * MIB);
	limits_set(40 * MIB, 0);
	must(memory_now().resident < before - 100 * MIB);
	must(stats_now().pressure_reason == 1);
	must(stats_now().nr_pressures == 1);
	/* Beyond the limit nothing is kept, and blocks are there as ever. */
	for (int i = 0; i < 20; i++) {
		large = malloc(64 * MIB);
		must(large);
		memset(large, 1, 64 * MIB);
		free(large);
		must(stats_now().free_dirty_size <= 40 * MIB);
	}
	empty(nr);
}

/* The options say the same, from the start on. */
TEST_ROLE(hard, "limit_hard=64m,limit_soft=32m,limit_report=0")
{
	must(stats_now().limit_hard_size == HARD);
	must(stats_now().limit_soft_size == 32 * MIB);
	must(fill(40000) * 40000 < HARD);
	must(errno == ENOMEM);
	must(stats_now().nr_pressures > 0);
}

static void half_is_left(void)
{
	must(!malloc(opaque(HARD)));
	must(fill(40000) * 40000 <= HARD / 2 + MIB);
	must(limited() <= HARD);
}

/* The child of a fork has the limit and what counts against it. */
TEST_ROLE(fork, "limit_hard=64m,limit_report=0")
{
	size_t n = fill(40000);

	must(n < NR_BLOCKS && limited() <= HARD);
	for (size_t i = n / 2; i < n; i++)
		free(blocks[i]);
	child_passes(half_is_left());
	must(malloc(opaque(HARD / 4)));
}

/* As a handler would. */
static void set_in_handler(int signal)
{
	(void)signal;
	limits_set(0, HARD);
}

TEST_LANE(in_a_handler)
{
	void *p;

	assert_true(signal(SIGUSR1, set_in_handler) != SIG_ERR);
	raise(SIGUSR1);
	assert_null(malloc(opaque(HARD)));
	limits_set(0, 0);
	p = malloc(opaque(HARD));
	assert_non_null(p);
	free(p);
}

API_MAIN(NULL, NULL)
