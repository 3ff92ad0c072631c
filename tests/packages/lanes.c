/* lanes: threads of this libc's allocate from lanes, where the kernel can
 *
 * Prints the mode. A thread's first call may miss; of those after it none may
 * be served without a lane, in the first thread and in another. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lanemalloc.h"

#define NR_PAIRS 1000

static unsigned long long nr_direct(void)
{
	struct lanemalloc_stats stats;

	lanemalloc_stats(&stats, sizeof(stats));
	return stats.nr_direct;
}

static void *work(void *unused)
{
	unsigned long long before;

	free(malloc(100));
	before = nr_direct();
	for (unsigned i = 0; i < NR_PAIRS; i++)
		free(malloc(100));
	if (nr_direct() == before)
		return unused;
	printf("lanes: a thread has none\n");
	exit(1);
}

int main(void)
{
	const char *why, *mode = lanemalloc_mode(&why);
	pthread_t thread;

	printf("lanes: mode %s, %s\n", mode, why);
	if (strcmp(mode, "direct") == 0)
		return syscall(SYS_rseq, NULL, 0, 0, 0) && errno == EINVAL;
	work(NULL);
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	return pthread_join(thread, NULL);
}
