/* cpus: the CPUs that a thread may have, whatever it has now */
#ifndef PERTURB_CPUS_H
#define PERTURB_CPUS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <string.h>

/* The kernel cuts what is asked for down to what is allowed. */
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
