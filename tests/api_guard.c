/* modes: all no-qemu
 *
 * A write behind a large block ends the program there, where a page is free
 * for that; all bytes that malloc_usable_size names can be used. With
 * large_guard=all, of which a program run anew tells, behind each. */
#include "expect.h"

#define UNIT ((size_t)32768)
#define LARGEST_SMALL ((size_t)262144)

static bool all_are_guarded;

static bool kernel_guards(void)
{
	char *page = mmap(NULL, UNIT, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can = page != MAP_FAILED &&
		   !madvise(page, 4096, 102 /* MADV_GUARD_INSTALL */);

	munmap(page, UNIT);
	return can || all_are_guarded;
}

/* Whether a child that writes there ends by SIGSEGV. */
static bool faults(volatile char *at)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		no_core();
		signal(SIGSEGV, SIG_DFL); /* cmocka's handler goes on */
		*at = 1;
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static bool has_room(size_t size)
{
	return all_are_guarded ||
	       (size + UNIT - 1) / UNIT * UNIT - size >= 4096;
}

TEST(behind_large_blocks)
{
	static const size_t sizes[] = { 262145,  300000,    327680 - 4096,
					327680,  327681,    1 << 20,
					5000000, 64 << 20, (64 << 20) + 1 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t usable;
		char *p;

		LANE(lanemalloc_purge)(); /* the next block's memory is fresh */
		p = malloc(sizes[i]);
		usable = malloc_usable_size(opaque(p));
		assert_non_null(p);
		assert_true(usable >= sizes[i]);
		memset(p, 1, usable);
		if (has_room(sizes[i]) && !faults(p + usable))
			fail_msg("a block of %zu bytes", sizes[i]);
		free(p);
	}
}

TEST(not_behind_others)
{
	char *p = malloc(LARGEST_SMALL), *q = calloc(1, 100000);

	assert_false(faults(p + LARGEST_SMALL - 1));
	assert_false(faults(q + malloc_usable_size(opaque(q)) - 1));
	free(p);
	free(q);
}

/* What grew over its guard, shrank before it, or moved is whole. */
TEST(realloc_passes)
{
	uint64_t random = 5;
	size_t size, keep;
	char *p;

	for (unsigned round = 0; round < 300; round++) {
		keep = LARGEST_SMALL + random_next(&random) % (3 * MIB);
		p = malloc(keep);
		pattern_fill(p, keep, round);
		size = LARGEST_SMALL + random_next(&random) % (6 * MIB);
		p = realloc(p, size);
		assert_non_null(p);
		if (size >= keep)
			assert_true(pattern_holds(p, keep, round));
		memset(p, 2, malloc_usable_size(opaque(p)));
		free(p);
	}
}

/* Units that had a guard serve blocks of every other kind, and zeros are
 * zeros. */
TEST(units_serve_again)
{
	enum { NR = 64 };
	char *blocks[NR];
	size_t size;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < NR; i++) {
			blocks[i] = malloc(300000 + 1000 * i);
			memset(blocks[i], 1, 300000);
		}
		free_each(blocks);
		if (round % 2)
			LANE(lanemalloc_purge)();
		for (unsigned i = 0; i < NR; i++) {
			size = 1000 + 7000 * i;
			blocks[i] = calloc(1, size);
			assert_true(is_zero(blocks[i], size));
			size = malloc_usable_size(opaque(blocks[i]));
			memset(blocks[i], 3, size);
		}
		free_each(blocks);
	}
}

static int run_with_all(const char *self)
{
	child_set_conf("large_guard=all");
	execl(self, self, "all", NULL);
	return 1;
}

int main(int argc, char **argv)
{
	int failed;

	all_are_guarded = argc > 1;
	if (!have_lane() || !kernel_guards())
		return 0;
	failed = tests_run(NULL, NULL);
	return failed || all_are_guarded ? failed : run_with_all(argv[0]);
}
