/* slow: a malloc of which one call is slow, for worst.sh
 *
 *	SLOW=spin	it works, for SLOW_NS of the thread's own time
 *	SLOW=sleep	it waits, SLOW_NS
 *	SLOW=yield	it lets others run until SLOW_NS are over
 *
 * Everything else is libc's.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../harness/clock.h"

#define SLOW_CALL 1000	/* which one */
#define SLOW_NS 5000000
#define MOST_YIELDS 100

extern void *__libc_malloc(size_t size);

static atomic_uint nr_calls;

static void spin(void)
{
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start < SLOW_NS)
		;
}

static void yield(void)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < MOST_YIELDS; i++) {
		if (clock_ns(CLOCK_MONOTONIC) - start >= SLOW_NS)
			return;
		sched_yield();
	}
}

static void slow_down(const char *how)
{
	if (*how == 'y')
		yield();
	else if (how[1] == 'l')
		nanosleep(&(struct timespec){ .tv_nsec = SLOW_NS }, NULL);
	else
		spin();
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	const char *how = getenv("SLOW");

	if (how && atomic_fetch_add(&nr_calls, 1) == SLOW_CALL)
		slow_down(how);
	return __libc_malloc(size);
}
