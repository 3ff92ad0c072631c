/* layer 6.7: output: what the options let the library write by itself;
 * contract in output.h
 *
 * Statistics at exit go to descriptor 2. Many programs close that when they
 * exit, to learn of write errors; so with the option a copy of it is kept. A
 * program may close the copy too, and its number may come to mean another file:
 * it is used only if it is the file it was.
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include "entry/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/forms.h"
#include "front/heap.h"
#include "front/stats_file.h"
#include "sample/dump.h"
#include "sample/leak.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/files.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"

extern const char *gnu_get_libc_version(void) weak_import;

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

/* Says what could not be written where, and the option that says so. */
static void report_unwritten(const char *what, const char *path, int error,
			     const char *option)
{
	report_line("pid %d: %s not written to %s: error %d, %s: see %s",
		    system_getpid(), what, path, -error, report_error(-error),
		    option);
}

static void profile_write(void)
{
	char path[DUMP_PATH_SIZE];
	int error = dump_write_named(path);

	if (error)
		report_unwritten("the profile is", path, error, "profile_dir");
}

/* What could not be written is known before there is a report. */
static void report_file_try(const char *path)
{
	int error;

	if (!*path || !sandbox_try_rare(SANDBOX_OF_PROCESS))
		return;
	error = system_try_append(path);
	sandbox_rare_done();
	if (error)
		report_unwritten("reports of misuse are", path, error,
				 "report_file");
}

static void report_no_tables(void)
{
	report_line("pid %d: no memory for the profile: see profile_memory, "
		    "ulimit -v",
		    system_getpid());
}

/* Starts the profile, or writes it; sent by sigqueue() with another value than
 * 0, stops it. */
static void profile_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == SI_QUEUE && info->si_value.sival_int)
		heap_profile_stop(SAMPLE_PROFILE);
	else if (sample_is_followed())
		profile_write();
	else if (!heap_profile_start(SAMPLE_PROFILE))
		report_no_tables();
}

static void stats_write(void)
{
	char path[STATS_PATH_SIZE];
	int error;

	error = stats_file_write(config_text(config.stats_file), path);
	if (error)
		report_unwritten("statistics are", path, error, "stats_file");
}

static void stats_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	if (config.stats_file)
		stats_write();
	else
		forms_print();
}

/* A handler that returns from one of these meets the same fault again. */
static bool is_of_faults(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE ||
	       signal == SIGILL || signal == SIGTRAP || signal == SIGSYS;
}

/* Takes a signal that the program leaves alone, by libc, which knows how a
 * handler returns; only at start, where no other thread is. 0, -EBUSY where the
 * program does not, or another negated errno. */
static int signal_take(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction old,
		action = { .sa_sigaction = handler,
			   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	if (is_of_faults(signal))
		return -EINVAL;
	if (sigaction(signal, NULL, &old))
		return -errno;
	if (old.sa_handler != SIG_DFL)
		return -EBUSY;
	sigfillset(&action.sa_mask);
	return sigaction(signal, &action, NULL) ? -errno : 0;
}

/* Makes an option's signal the library's from now on. */
static void signal_prepare(const char *option, int signal,
			   void (*handler)(int, siginfo_t *, void *))
{
	int error = signal ? signal_take(signal, handler) : 0;

	if (error)
		report_line("pid %d: %s=%d: error %d, %s", system_getpid(),
			    option, signal, -error, report_error(-error));
}

void output_prepare(void)
{
	report_file_try(config_text(config.report_file));
	if (config.stats || config.profile_leak)
		stderr_keep();
	if ((config.profile || config.profile_leak) && !sample_is_followed())
		report_no_tables();
	signal_prepare("profile_signal", (int)config.profile_signal,
		       profile_signal);
	signal_prepare("stats_signal", (int)config.stats_signal, stats_signal);
}

/* glibc's exit() goes on with what is left to do, streams too, and takes this
 * status; destructors of objects that stand behind this one are not run. That
 * of another libc may refuse to be called twice: there streams that nobody
 * flushed are lost. */
static void exit_as_leaking(int status)
{
	if (gnu_get_libc_version)
		exit(status);
	_exit(status);
}

void output_finish(void)
{
	bool leaks = false;

	if (config.profile)
		profile_write();
	if (config.stats || config.profile_leak)
		stderr_restore();
	if (config.profile_leak)
		leaks = leak_report(config.profile_leak) > 0;
	if (config.stats_file)
		stats_write();
	if (config.stats)
		forms_print();
	if (leaks && config.profile_leak_exit)
		exit_as_leaking((int)config.profile_leak_exit);
}
