/* What the profile's tables and a file of it cost, by stacks and blocks.
 *
 * Usage: LANEMALLOC_CONF=profile_interval=1 LD_PRELOAD=... profile-stacks
 *	STACKS BLOCKS
 *
 * So many stacks of 33 calls, each of which holds as many blocks as make BLOCKS
 * together; then the resident bytes of the tables, and the time of a file of
 * them (CPU time of the process, the least of five) and its size.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../harness/clock.h"
#include "lanemalloc.h"
#include "lanemalloc_view.h"

#define DEPTH 30 /* of the calls that tell stacks apart */
#define ROUNDS 5
#define PROFILE_MEMORY ((size_t)8 << 20)

extern int lanemalloc_profile_start(void) __attribute__((weak));
extern int lanemalloc_profile_dump(const char *path) __attribute__((weak));
extern const struct lanemalloc_view lanemalloc_view __attribute__((weak));

static void *volatile last;

typedef void way(unsigned number, unsigned depth, unsigned long nr);
static way left, right;

/* The lowest bits of the number say by which calls. */
static void on(unsigned number, unsigned depth, unsigned long nr)
{
	if (!depth)
		for (; nr; nr--)
			last = malloc(48);
	else if (number & 1)
		right(number >> 1, depth - 1, nr);
	else
		left(number >> 1, depth - 1, nr);
}

static __attribute__((noinline)) void left(unsigned number, unsigned depth,
					   unsigned long nr)
{
	on(number, depth, nr);
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void right(unsigned number, unsigned depth,
					    unsigned long nr)
{
	on(number, depth, nr);
	__asm__ volatile("" ::: "memory");
}

static size_t resident(void)
{
	static unsigned char pages[PROFILE_MEMORY >> 12];
	const uint64_t *tables =
		(const void *)(uintptr_t)lanemalloc_view.profile_tables;
	size_t n = 0;

	if (mincore((void *)(uintptr_t)*tables, PROFILE_MEMORY, pages))
		return 0;
	for (size_t i = 0; i < sizeof(pages); i++)
		n += pages[i] & 1;
	return n << 12;
}

/* Milliseconds of CPU time; below 0: it failed. */
static double dump(const char *path)
{
	uint64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (lanemalloc_profile_dump(path))
		return -1;
	return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned long nr = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	unsigned long blocks = argc > 2 ? strtoul(argv[2], NULL, 10) : nr;
	char path[] = "/tmp/profile-stacks.XXXXXX";
	double least = 1e9, ms;
	struct stat status;
	int fd = mkstemp(path);

	if (fd < 0 || !lanemalloc_profile_start || lanemalloc_profile_start())
		return 1;
	for (unsigned long i = 0; i < nr; i++)
		on((unsigned)i, DEPTH, blocks / nr);
	printf("%lu stacks, %lu blocks: tables %.2f MiB\n", nr,
	       nr * (blocks / nr), (double)resident() / (1 << 20));
	for (int i = 0; i < ROUNDS; i++) {
		ms = dump(path);
		least = ms < least ? ms : least;
	}
	if (stat(path, &status) || least < 0)
		return 1;
	printf("a file: %.1f ms CPU, %.2f MiB\n", least,
	       (double)status.st_size / (1 << 20));
	unlink(path);
	close(fd);
	return 0;
}
