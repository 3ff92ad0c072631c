/* lab_locked: mlockall by a user with a limit, and malloc before and after
 *
 * RLIMIT_MEMLOCK is what the machine set, at least 32 MiB. What is mapped gets
 * locked, and what is to come; the heap's share in both is a few MiB. malloc
 * serves well below the limit and says NULL, ENOMEM, beyond it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define NR_BLOCKS 256

static void fail(const char *what)
{
	fprintf(stderr, "lab_locked: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fill(size_t size)
{
	char *blocks[NR_BLOCKS];
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = malloc(size);
		if (!blocks[i])
			fail("malloc below the limit");
		memset(blocks[i], (int)i, size);
	}
	for (i = 0; i < NR_BLOCKS; i++) {
		if (blocks[i][0] != (char)i || blocks[i][size - 1] != (char)i)
			fail("a block has changed");
		free(blocks[i]);
	}
}

int main(void)
{
	struct rlimit limit;
	void *beyond;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur < 32 << 20)
		fail("RLIMIT_MEMLOCK is not set, or below 32 MiB");
	fill(1000);
	if (mlockall(MCL_CURRENT))
		fail("mlockall of what there is");
	fill(1000);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("mlockall of what is to come");
	fill(1000);
	fill(16 << 10);
	errno = 0;
	beyond = malloc(limit.rlim_cur);
	if (geteuid() && (beyond || errno != ENOMEM))
		fail("a block as large as the limit");
	free(beyond);
	fill(1000);
	printf("lab_locked: ok under %llu MiB\n",
	       (unsigned long long)limit.rlim_cur >> 20);
	return 0;
}
