/* cpus: the CPUs that a thread may have, and one of them for it */
#ifndef HARNESS_CPUS_H
#define HARNESS_CPUS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdint.h>
#include <string.h>

/* That one alone, of those in the set in turn; the set is not empty. Nothing
 * here allocates. */
static inline cpu_set_t cpus_nth(const cpu_set_t *set, uint64_t n)
{
	cpu_set_t one;
	int cpu = 0;

	for (n %= (unsigned)CPU_COUNT(set); n || !CPU_ISSET(cpu, set); cpu++)
		n -= CPU_ISSET(cpu, set) != 0;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return one;
}

/* Refused where the CPU has gone meanwhile: the thread stays then. */
static inline void cpus_go(pid_t tid, const cpu_set_t *set, uint64_t n)
{
	cpu_set_t one = cpus_nth(set, n);

	sched_setaffinity(tid, sizeof(one), &one);
}

/* All of them, whatever the thread has now: the kernel cuts what is asked for
 * down to what is allowed. */
static inline int cpus_allowed(cpu_set_t *out)
{
	cpu_set_t now, all;

	memset(&all, 0xff, sizeof(all));
	sched_getaffinity(0, sizeof(now), &now);
	sched_setaffinity(0, sizeof(all), &all);
	sched_getaffinity(0, sizeof(*out), out);
	sched_setaffinity(0, sizeof(now), &now);
	return CPU_COUNT(out);
}

#endif
