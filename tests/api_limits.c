/* modes: all no-qemu */
/* RLIMIT_AS and RLIMIT_DATA: works, says ENOMEM, works again */
#include "expect.h"

#include <fcntl.h>

#define TOO_LARGE (512 * MIB)

/* A block carries its link, so that no memory beside is needed. */
struct block {
	struct block *next;
	char pattern[];
};

static struct block *all;

static bool take_one(size_t size)
{
	struct block *block = malloc(size);

	if (!block)
		return false;
	block->next = all;
	pattern_fill(block->pattern, size - sizeof(*block), size);
	all = block;
	return true;
}

static void give_one(size_t size)
{
	struct block *block = all;

	must(pattern_holds(block->pattern, size - sizeof(*block), size));
	all = block->next;
	free(block);
}

/* Allocates until there is no memory; the bytes. */
static size_t exhaust(size_t size)
{
	size_t total = 0;

	errno = 0;
	while (take_one(size)) {
		total += size;
		must(total < TOO_LARGE);
	}
	must(errno == ENOMEM);
	return total;
}

static void drop(size_t size)
{
	while (all)
		give_one(size);
}

/* When all is used up, what was freed is there again: a block, and in the end
 * as much as before. */
static void exhaust_twice(size_t size, size_t least)
{
	size_t first = exhaust(size), second;

	if (first < least)
		fprintf(stderr, "only %zu MiB\n", first / MIB);
	must(first >= least);
	must(!calloc(1, TOO_LARGE) && errno == ENOMEM);
	must(!realloc(all, opaque(TOO_LARGE)) && errno == ENOMEM);
	give_one(size);
	must(take_one(size));
	drop(size);
	second = exhaust(size);
	if (second < first - first / 8)
		fprintf(stderr, "%zu KiB first, %zu KiB then\n", first / 1024,
			second / 1024);
	must(second >= first - first / 8);
	drop(size);
}

ROLE(small_blocks)
{
	exhaust_twice(1000, 16 * MIB);
}

ROLE(large_blocks)
{
	exhaust_twice(300000, 16 * MIB);
}

/* Large blocks after small ones, in the same space. */
ROLE(mixed)
{
	exhaust_twice(2000, 16 * MIB);
	exhaust_twice(100000, 12 * MIB);
	exhaust_twice(64, 8 * MIB);
}

static void small_stacks(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_setattr_default_np(&attr);
}

static void *run_thread(void *arg)
{
	for (size_t i = 0; i < 1000; i++) {
		void *p = malloc(i * 20);

		must(p);
		free(p);
	}
	return arg;
}

ROLE(threads)
{
	small_stacks();
	threads_run(4, run_thread);
}

ROLE(small_program)
{
	void *p = malloc(MIB);

	must(p);
	free(p);
	run_thread(NULL);
}

/* kB of a line of /proc/self/status, without malloc. */
static size_t status_size(const char *name)
{
	char text[4096], *at;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	must(n > 0);
	close(fd);
	text[n] = '\0';
	at = strstr(text, name);
	must(at);
	return strtoul(at + strlen(name), NULL, 10) << 10;
}

/* What is not in use is not mapped. */
ROLE(virtual_size)
{
	size_t before = status_size("VmSize:");

	role_small_program();
	must(status_size("VmSize:") < 96 * MIB);
	must(status_size("VmSize:") - before < 48 * MIB);
}

/* A limit close above what is in use, set by the running program: others can
 * map, a block beyond it cannot be had, and small ones can. */
ROLE(late_limit)
{
	void *small = malloc(100), *map;
	struct rlimit limit;

	limit.rlim_cur = status_size("VmSize:") + 48 * MIB;
	limit.rlim_max = limit.rlim_cur;
	must(small && !setrlimit(RLIMIT_AS, &limit));
	map = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(map != MAP_FAILED);
	small_stacks();
	thread_run(run_thread, NULL);
	must(!malloc(opaque(64 * MIB)) && errno == ENOMEM);
	must(!malloc(opaque((size_t)1 << 39)) && errno == ENOMEM);
	free(small);
	run_thread(NULL);
}

/* Everything that is mapped is locked, and stays small. */
ROLE(locked)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return; /* no right to */
	role_small_program();
	must(status_size("VmLck:") < 96 * MIB);
}

static int limit_resource;
static size_t limit_size;

static void set_limit(void)
{
	struct rlimit limit = { limit_size, limit_size };

	must(setrlimit((__rlimit_resource_t)limit_resource, &limit) == 0);
}

static void check_role(const char *role, int resource, size_t size)
{
	child.prepare = set_limit;
	limit_resource = resource;
	limit_size = size;
	print_message("%s under %zu MiB\n", role, size / MIB);
	role_runs(role, NULL);
}

static void check_all(int resource, size_t size)
{
	check_role("small_blocks", resource, size);
	check_role("large_blocks", resource, size);
	check_role("mixed", resource, size);
	check_role("threads", resource, size);
}

TEST(test_address_space)
{
	check_all(RLIMIT_AS, 96 * MIB);
	check_role("small_blocks", RLIMIT_AS, 180 * MIB);
	check_role("small_program", RLIMIT_AS, 40 * MIB);
}

TEST(test_data)
{
	check_all(RLIMIT_DATA, 64 * MIB);
	check_role("large_blocks", RLIMIT_DATA, 180 * MIB);
	check_role("small_program", RLIMIT_DATA, 16 * MIB);
}

static void limit_while_in_use(void)
{
	char *p = malloc(10 * MIB);

	limit_resource = RLIMIT_AS;
	limit_size = 1 * MIB; /* below what is in use */
	set_limit();
	run_thread(NULL);
	free(p);
	run_thread(NULL);
}

/* The limit comes down while the program runs. */
TEST(test_limit_at_run_time)
{
	child_passes(limit_while_in_use());
}

TEST(test_what_is_mapped)
{
	check_role("virtual_size", RLIMIT_AS, 1024 * MIB);
	check_role("late_limit", RLIMIT_AS, 1024 * MIB);
	check_role("locked", RLIMIT_AS, 1024 * MIB);
}

API_MAIN(NULL, NULL)
