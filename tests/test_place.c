/* system/place.h: places are apart, where they should be, and not foreseen */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "cases.h"
#include "fake_system.h"
#include "system/place.c"

#define MIB ((size_t)1 << 20)
#define THREADS 4
#define TAKES 2000
#define NOT_ASKED 77

FIXTURE(forget)
{
	memset(next_place, 0, sizeof(next_place));
	fake_reset();
}

/* In the part of [T/2, T) that place.h says, in 32nds of T. */
static void is_in_of(uint64_t top, const char *addr, size_t size,
		     uint64_t first, uint64_t end)
{
	uint64_t at = (uint64_t)(uintptr_t)addr;

	assert_non_null(addr);
	assert_true(at >= top / 32 * first);
	assert_true(at + size <= top / 32 * end);
}

static void is_in(const char *addr, size_t size, uint64_t first, uint64_t end)
{
	is_in_of(stack_top(), addr, size, first, end);
}

/* All small sizes and alignments around a range's end: a place is the first
 * that fits, lies within the range, and there is none only where none fits. */
TEST(test_places_by_enumeration, forget)
{
	uint64_t end = (uint64_t)1 << 35, at, addr, fits;

	end = end / 32 * bounds[PLACE_META].end;
	assert_int_equal(range_end(PLACE_META, end - 1), end);
	for (at = end - 64; at <= end; at++)
		for (size_t align = 1; align <= 16; align *= 2)
			for (size_t size = 1; size < 70; size++) {
				addr = place_within(PLACE_META, at, size,
						    align);
				for (fits = at; fits % align; fits++)
					;
				assert_int_equal(addr, fits + size <= end ?
							       fits :
							       0);
			}
}

TEST(test_ranges, forget)
{
	char *data = place_take(PLACE_DATA, 3 * MIB, HUGEPAGE_ALIGN), *next;
	char *meta = place_take(PLACE_META, 100, 4096);

	is_in(data, 3 * MIB, 16, 18);
	is_in(meta, 4096, 20, 21);
	assert_true((uint64_t)(uintptr_t)meta < stack_top() / 64 * 41);
	assert_int_equal((uintptr_t)data % HUGEPAGE_ALIGN, 0);
	assert_int_equal((uintptr_t)meta % 4096, 0);
	next = place_take(PLACE_DATA, MIB, HUGEPAGE_ALIGN);
	assert_ptr_equal(next, data + 4 * MIB);
	next = place_take(PLACE_META, 4096, 4096);
	assert_ptr_equal(next, meta + 4096);
}

TEST(test_untake, forget)
{
	char *a = place_take(PLACE_DATA, MIB, 4096), *b;

	place_untake(PLACE_DATA, a, MIB);
	assert_ptr_equal(place_take(PLACE_DATA, MIB, 4096), a);
	b = place_take(PLACE_DATA, MIB, 4096);
	place_untake(PLACE_DATA, a, MIB);
	assert_ptr_equal(place_take(PLACE_DATA, MIB, 4096), b + MIB);
}

TEST(test_the_end, forget)
{
	size_t most = place_size_most(PLACE_DATA), n = 0;
	char *last = NULL, *addr;

	assert_true(most == stack_top() / 16);
	assert_null(place_take(PLACE_DATA, SIZE_MAX, 4096));
	assert_null(place_take(PLACE_DATA, 2 * most + 1, 4096));
	/* What follows does not fill a range that begins at its first place. */
	assert_non_null(place_take(PLACE_DATA, MIB, 4096));
	while ((addr = place_take(PLACE_DATA, most / 4, HUGEPAGE_ALIGN))) {
		is_in(addr, most / 4, 16, 20);
		last = addr;
		n++;
	}
	assert_in_range(n, 4, 8);
	assert_null(place_take(PLACE_DATA, most / 4, 4096));
	assert_non_null(place_take(PLACE_DATA, 4096, 4096));
	assert_non_null(last);
	assert_non_null(place_take(PLACE_META, MIB, 4096));
	assert_null(place_map(SIZE_MAX));
	assert_null(place_map((size_t)1 << 45));
}

TEST(test_map_leaves_gaps, forget)
{
	char *a = place_map(100), *b = place_map(3 * MIB), *c = place_map(1);
	size_t page = system_page_size();

	assert_int_equal(a[0] | a[page - 1] | b[3 * MIB - 1], 0);
	a[0] = b[3 * MIB - 1] = c[page - 1] = 1;
	assert_true(b - a >= (ptrdiff_t)(page + PLACE_GAP));
	assert_true(c - b >= (ptrdiff_t)(3 * MIB + PLACE_GAP));
	assert_false(system_is_mapped(a + page, page));
	assert_false(system_is_mapped(b - page, page));
	assert_false(system_is_mapped(b + 3 * MIB, page));
	assert_false(system_is_mapped(c - page, page));
	system_unmap(a, page);
	system_unmap(b, 3 * MIB);
	system_unmap(c, page);
}

/* Somebody else's memory stays, and the next place serves; a limit gives the
 * place back. */
TEST(test_map_beside_others, forget)
{
	size_t page = system_page_size();
	char *at = place_take(PLACE_META, page, page), *found;

	place_untake(PLACE_META, at, page);
	fake.taken = at;
	fake.taken_size = 1;
	found = place_map(page);
	assert_true(found > at);
	system_unmap(found, page);
	fake.taken_size = (size_t)1 << 40;
	assert_null(place_map(page));
	fake.taken = NULL;
	at = place_take(PLACE_META, page, page);
	fake_fail_from(FAKE_MAP, 1);
	assert_null(place_map(page));
	assert_ptr_equal(place_take(PLACE_META, 1, 1), at + page);
}

/* Nothing can be mapped; later it can. */
TEST(test_no_range, forget)
{
	fake_fail_from(FAKE_MAP, 1);
	assert_null(place_take(PLACE_DATA, 4096, 4096));
	assert_int_equal(place_size_most(PLACE_DATA), 0);
	assert_null(place_map(4096));
	fake_fail_from(FAKE_MAP, 0);
	assert_non_null(place_take(PLACE_DATA, 4096, 4096));
	assert_int_equal(fake_address_size(), 0);
}

/* The highest addresses are refused: half of them serve. */
TEST(test_fewer_addresses, forget)
{
	uint64_t top = stack_top() / 2, at;
	char *addr;

	fake.taken = (char *)(uintptr_t)top;
	fake.taken_size = top;
	addr = place_take(PLACE_DATA, 4096, 4096);
	at = (uint64_t)(uintptr_t)addr;
	assert_true(at >= top / 2 && at < top / 8 * 5);
	assert_true(place_size_most(PLACE_DATA) == top / 16);
}

static char *taken[THREADS][TAKES];

static void *take_many(void *arg)
{
	char **mine = arg;

	for (unsigned i = 0; i < TAKES; i++) {
		mine[i] = place_take(PLACE_META, 4096, 4096);
		if (i % 3 == 0) {
			place_untake(PLACE_META, mine[i], 4096);
			mine[i] = NULL;
		}
	}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	char *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

TEST(test_racers_are_apart, forget)
{
	pthread_t threads[THREADS];

	for (unsigned round = 0; round < 20; round++) {
		char **all = &taken[0][0];

		forget(NULL);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, take_many, taken[i]);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		qsort(all, THREADS * TAKES, sizeof(*all), by_address);
		for (unsigned i = 1; i < THREADS * TAKES; i++)
			assert_true(!all[i - 1] || all[i] - all[i - 1] >= 4096);
	}
}

/* The places that a new process chooses; false: it may not choose (containers
 * refuse it). */
static bool child_places(bool random, char *out[NR_PLACES])
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		if (!random && personality(ADDR_NO_RANDOMIZE) < 0)
			_exit(NOT_ASKED);
		out[0] = place_take(PLACE_DATA, 4096, 4096);
		out[1] = place_take(PLACE_META, 4096, 4096);
		_exit(write(ends[1], out, 2 * sizeof(*out)) < 0);
	}
	close(ends[1]);
	n = read(ends[0], out, 2 * sizeof(*out));
	waitpid(pid, &status, 0);
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ASKED)
		return false;
	assert_int_equal(status, 0);
	assert_int_equal(n, 2 * sizeof(*out));
	return true;
}

TEST(test_random_unless_asked, forget)
{
	char *a[NR_PLACES], *b[NR_PLACES], *c[NR_PLACES], *d[NR_PLACES];

	if (!system_random() && !system_random())
		skip(); /* all of this process's children are alike */
	assert_true(child_places(true, a) && child_places(true, b));
	assert_ptr_not_equal(a[0], b[0]);
	assert_ptr_not_equal(a[1], b[1]);
	assert_int_not_equal(b[0] - a[0], b[1] - a[1]);
	if (!child_places(false, c) || !child_places(false, d))
		skip();
	assert_memory_equal(c, d, sizeof(c));
	assert_true((uint64_t)(uintptr_t)c[0] == stack_top() / 2);
	assert_true((uint64_t)(uintptr_t)c[1] == stack_top() / 8 * 5);
}

/* On a stack among the variables of a program at low addresses. */
static char *found_low;
static ucontext_t here, low;

static void take_low(void)
{
	found_low = place_take(PLACE_DATA, 4096, 4096);
}

TEST(test_low_stack, forget)
{
	char *stack = mmap((void *)0x10000000, 2 * MIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0);

	if (stack != (char *)0x10000000)
		skip();
	assert_int_equal(getcontext(&low), 0);
	low.uc_stack.ss_sp = stack;
	low.uc_stack.ss_size = 2 * MIB;
	low.uc_link = &here;
	makecontext(&low, take_low, 0);
	assert_int_equal(swapcontext(&here, &low), 0);
	munmap(stack, 2 * MIB);
	is_in_of(bits_one(SHIFT_USUAL), found_low, 4096, 16, 20);
}

/* Only by the option, after success, and in no sandbox. */
TEST(test_names, forget)
{
	char *data = place_take(PLACE_DATA, 8192, 4096), *meta;

	assert_int_equal(place_map_at(data, 4096), 0);
	meta = place_map(4096);
	assert_non_null(meta);
	assert_int_equal(fake.nr_named, 0);
	config.map_names = 1;
	assert_int_equal(place_map_at(data + 4096, 4096), 0);
	assert_int_equal(fake.nr_named, 1);
	assert_ptr_equal(fake.named.addr, data + 4096);
	assert_int_equal(fake.named.size, 4096);
	assert_string_equal(fake.named.name, "lanemalloc blocks");
	assert_int_not_equal(place_map_at(data, 4096), 0);
	assert_int_equal(fake.nr_named, 1);
	meta = place_map(12288);
	assert_non_null(meta);
	assert_int_equal(fake.nr_named, 2);
	assert_ptr_equal(fake.named.addr, meta);
	assert_string_equal(fake.named.name, "lanemalloc metadata");
	sandbox_begin();
	meta = place_map(4096);
	assert_non_null(meta);
	assert_int_equal(fake.nr_named, 2);
	sandbox_end(0);
	config.map_names = 0;
}

TEST_MAIN(NULL, NULL)
