/* figure: what the figure programs share: numbers of arguments, time, RSS
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
#include <getopt.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

_Noreturn static inline void figure_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(2);
}

static inline unsigned long figure_number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (*end || end == text || !n || errno || strchr(text, '-'))
		figure_die("not a positive number");
	return n;
}

/* Options only: what else stands on the line is a mistake. */
static inline void figure_no_more(int argc, const char *usage)
{
	if (optind < argc)
		figure_die(usage);
}

static inline double figure_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Without allocating; MiB. */
static inline double figure_rss(void)
{
	char text[128] = "", *space;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		figure_die("no /proc/self/statm");
	close(fd);
	space = strchr(text, ' ');
	return (double)strtoul(space ? space : "0", NULL, 10) *
	       (double)sysconf(_SC_PAGESIZE) / (double)MIB;
}

static inline void figure_sleep(unsigned seconds)
{
	struct timespec rest = { (time_t)seconds, 0 };

	while (nanosleep(&rest, &rest))
		;
}

/* splitmix64 */
static inline uint64_t figure_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
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
