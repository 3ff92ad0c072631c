/* layer 6.8: start: what happens at load and at exit
 *
 * Nothing needs this to have run: every slow path starts the heap by itself.
 * The constructor only makes it happen early, while the program has one
 * thread, and prints what the options ask for. The destructor writes the
 * statistics, after the program's own exit handlers, to descriptor 2. Many
 * programs close that when they exit, to learn of write errors; so with the
 * option a copy of it is kept. A program may close the copy too, and its number
 * may come to mean another file: it is used only if it is the file it was.
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "cpucache/rseq_own.h"
#include "front/heap.h"
#include "front/stats.h"
#include "lanemalloc.h"
#include "sample/dump.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/files.h"
#include "system/report.h"
#include "system/sealed.h"
#include "system/system.h"

/* Above the numbers that programs count on to be the next free ones. */
#define COPY_LEAST 100

static int copy = -1;	      /* const after start() */
static struct stat copy_file; /* const after start() */

static void stderr_keep(void)
{
	copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPY_LEAST);
	if (copy >= 0 && fstat(copy, &copy_file))
		copy = -1;
}

static bool copy_is_sound(void)
{
	struct stat now;

	return copy >= 0 && !fstat(copy, &now) &&
	       now.st_dev == copy_file.st_dev && now.st_ino == copy_file.st_ino;
}

/* A descriptor 2 that is open is the program's choice, whatever it is. */
static void stderr_restore(void)
{
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && copy_is_sound())
		dup2(copy, STDERR_FILENO);
}

static void print_memory_layout(void)
{
	const struct region *r = &regions[0];

	// const: heap_start() made the region
	size_t size = load_relaxed(&r->nr_units) * UNIT_SIZE;

	report_line("pid %d: blocks lie within %zu MiB from %p on, "
		    "in units of %zu",
		    system_getpid(), size >> 20, (void *)r->base, UNIT_SIZE);
}

static void print_start(void)
{
	const char *why;

	stats_mode(&why);
	report_line("pid %d: version %s, mode %s", system_getpid(),
		    lanemalloc_version(), why);
	print_memory_layout();
	config_print();
}

/* A profile that cannot be written is said, and nothing else. */
static void profile_write(void)
{
	int error = dump_write(NULL);

	if (error)
		report_line("the profile is not written: error %d", -error);
}

/* By kill: starts, or writes; by sigqueue with another value than 0: stops. */
static void profile_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == SI_QUEUE && info->si_value.sival_int)
		heap_profile_stop();
	else if (sample_is_on())
		profile_write();
	else if (!heap_profile_start())
		report_line("no memory for the profile");
}

static void profile_prepare(void)
{
	int signal = (int)config.profile_signal, error;

	if (config.profile && !sample_is_on())
		report_line("no memory for the profile");
	if (!signal)
		return;
	error = system_handle_signal(signal, profile_signal);
	if (error)
		report_line("profile_signal=%d: error %d", signal, -error);
}

static __attribute__((constructor(101))) void start(void)
{
	sealed_find_clock();
	if (rseq_own_start)
		rseq_own_start();
	if (!heap_start()) {
		report_line("no address space for the heap");
		return;
	}
	if (config.verbose)
		print_start();
	if (config.stats)
		stderr_keep();
	profile_prepare();
}

/* Behind the one that finds libc's functions (real.c). */
static __attribute__((constructor(103))) void seal(void)
{
	sealed_close();
}

static __attribute__((destructor)) void finish(void)
{
	if (config.profile)
		profile_write();
	if (!config.stats)
		return;
	stderr_restore();
	stats_print();
}
