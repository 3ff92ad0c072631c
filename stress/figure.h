/* figure: what the figure programs share: time, RSS
 *
 * A figure program prints one line and checks nothing but its own set-up.
 */
#ifndef FIGURE_H
#define FIGURE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/clock.h"
#include "harness/memory.h"
#include "harness/options.h"
#include "harness/random.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

_Noreturn static inline void figure_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(2);
}

/* Without allocating; MiB. */
static inline double figure_rss(void)
{
	size_t resident = memory_now().resident;

	if (!resident)
		figure_die("no /proc/self/statm");
	return (double)resident / (double)MIB;
}

static inline void figure_sleep(unsigned seconds)
{
	struct timespec rest = { (time_t)seconds, 0 };

	while (nanosleep(&rest, &rest))
		;
}

static inline int figure_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static inline double figure_median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), figure_compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

#endif
