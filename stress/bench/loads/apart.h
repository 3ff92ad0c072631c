/* apart: what of a stretch of time the kernel gave to somebody else
 *
 * A call that takes milliseconds may have worked for them, waited, or been put
 * aside for another thread. Before each stretch the kernel is asked how often
 * this thread was put aside (switches that it did not ask for) and how long it
 * has run. After a long one it is asked again:
 *
 *	never put aside: the stretch's own time is all of it, waits for locks
 *		and pages included;
 *	put aside: as much as the thread has run meanwhile.
 *
 * A short one is not asked about: all of it is its own. What it cannot tell:
 * interrupts, and what a hypervisor takes away, count as the stretch's own
 * (so there are stretches that call nothing, to compare with); sched_yield()
 * counts as being put aside, a wait in a stretch that was put aside besides as
 * nobody's. A switch between the question and the clock, some 20 ns, is
 * taken for one of the stretch.
 */
#ifndef APART_H
#define APART_H

#include <stdint.h>
#include <sys/resource.h>

#include "../../harness/clock.h"

#define APART_LONG_NS 10000

struct apart {
	long nr_aside;
	uint64_t ran_ns;
	uint64_t start_ns;
};

static inline long apart_nr_aside(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static inline struct apart apart_begin(void)
{
	struct apart apart;

	apart.ran_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	apart.nr_aside = apart_nr_aside();
	apart.start_ns = clock_ns(CLOCK_MONOTONIC);
	return apart;
}

/* Of a stretch that took all_ns. */
static inline uint64_t apart_own_ns(const struct apart *apart, uint64_t all_ns)
{
	uint64_t ran_ns;

	if (all_ns < APART_LONG_NS || apart_nr_aside() == apart->nr_aside)
		return all_ns;
	ran_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - apart->ran_ns;
	return ran_ns < all_ns ? ran_ns : all_ns;
}

#endif
