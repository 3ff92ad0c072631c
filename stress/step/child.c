/* child: processes, threads and checks of `step` and `last` */
#include "step.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "pageheap/region.h"

struct common common = {
	.timeout = 10,
	.work = 60,
	.jobs = 1,
	.conf = "reclaimer=0,purge_delay=3600000,purge_budget=256k,"
		"cpu_cache=1m"
};
struct place *place;

/* What the sweep's load expects of its program. */
struct cell *cell;
struct stop stop;
void stop_ignore(void)
{
}

static _Atomic(uint32_t) started, changed;
static char conf[256] = "LANEMALLOC_CONF=";
static int said; /* a file for the child's output */

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	_exit(2);
}

_Noreturn void child_fail(enum outcome outcome, const char *what)
{
	uint32_t none = NOT_RUN;

	if (!cell)
		die("%s", what);
	/* The first fault counts. */
	if (atomic_compare_exchange_strong(&cell->outcome, &none, outcome))
		snprintf(cell->text, sizeof(cell->text), "%s", what);
	_exit(1);
}

unsigned number_of(const char *arg)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 0);

	if (end == arg || *end || n > UINT32_MAX)
		die("not a number: %s", arg);
	return (unsigned)n;
}

void check_library(const char *path)
{
	if (!path)
		die("--library PATH is missing; see --help");
	if (access(path, R_OK))
		die("cannot read %s: %s", path, strerror(errno));
}

const char *where_is(uint32_t offset)
{
	static char where[TEXT_SIZE];

	text_where(offset, where, sizeof(where));
	return where;
}

/* ---- this process ---- */

void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("no shared memory");
	return at;
}

void preload(char **argv)
{
	const char *path = realpath(common.library, NULL);

	if (getenv("STEP_PRELOADED")) {
		unsetenv("LD_PRELOAD");
		common.library = path;
		conf_set(common.conf);
		putenv(conf);
		return;
	}
	setenv("STEP_PRELOADED", "1", 1);
	setenv("LD_PRELOAD", path, 1);
	conf_set(common.conf);
	putenv(conf);
	execv("/proc/self/exe", argv);
	die("cannot start again: %s", strerror(errno));
}

void conf_set(const char *value)
{
	snprintf(strchr(conf, '=') + 1, 200, "%s", value);
}

void library_start(void)
{
	text_read(common.library, NULL, NULL);
	text_find(common.library);
	trap_start();
	load_warm_up();
	job_start();
}

void job_start(void)
{
	said = memfd_create("said", MFD_CLOEXEC);
	if (said < 0)
		die("no file for the child's words");
}

/* ---- threads ---- */

static void futex(_Atomic(uint32_t) *word, int op, uint32_t value,
		  const struct timespec *time)
{
	raw_4(SYS_futex, word, op, value, time);
}

void child_wait_for_start(void)
{
	while (!atomic_load(&started))
		futex(&started, FUTEX_WAIT_PRIVATE, 0, NULL);
}

void child_wake(void)
{
	atomic_fetch_add(&changed, 1);
	futex(&changed, FUTEX_WAKE_PRIVATE, 1, NULL);
}

void start_others(void)
{
	atomic_store(&started, 1);
	futex(&started, FUTEX_WAKE_PRIVATE, 1000, NULL);
}

void wait_changed(void)
{
	const struct timespec pause = { 0, 500000 };

	futex(&changed, FUTEX_WAIT_PRIVATE, atomic_load(&changed), &pause);
}

_Noreturn void fate_sleep(void)
{
	for (;;)
		raw_0(SYS_pause);
}

void thread_start(void *(*run)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	pthread_attr_t attr;
	pthread_t thread;

	*(void **)(void *)&create = dlsym(libc, "pthread_create");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!create || create(&thread, &attr, run, arg))
		child_fail(CRASHED, "no thread");
}

/* ---- a child from outside ---- */

const char *child_said(void)
{
	static char out[160];
	off_t end = lseek(said, 0, SEEK_END);
	off_t from = end > 150 ? end - 150 : 0;
	ssize_t n = pread(said, out, sizeof(out) - 1, from), i;

	out[n > 0 ? n : 0] = 0;
	for (i = 0; i < n; i++)
		if (out[i] == '\n')
			out[i] = ' ';
	return out;
}

/* False: nothing moved for too long. */
static bool child_wait(pid_t pid)
{
	struct pollfd on = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
			     .events = POLLIN };
	uint64_t seen = ~(uint64_t)0, now;
	unsigned still = 0;
	bool ended = false;

	if (on.fd < 0)
		die("no pidfd: %s", strerror(errno));
	while (!ended && still < 4 * common.timeout) {
		ended = poll(&on, 1, 250) > 0;
		now = atomic_load(&cell->progress);
		still = now == seen ? still + 1 : 0;
		seen = now;
	}
	close(on.fd);
	return ended;
}

_Noreturn static void child_begin(void (*body)(const void *), const void *arg)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(said, 2);
	dup2(said, 1);
	body(arg);
	_exit(0);
}

static void note_end(int status)
{
	uint32_t none = NOT_RUN;
	bool sound = WIFEXITED(status) && !WEXITSTATUS(status);

	if (atomic_compare_exchange_strong(&cell->outcome, &none,
					   sound ? STOPPED : CRASHED) &&
	    !sound)
		snprintf(cell->text, sizeof(cell->text), "status %#x", status);
}

enum outcome child_do(void (*body)(const void *), const void *arg)
{
	int status = 0;
	pid_t pid;

	memset(place, 0, sizeof(*place));
	cell = &place->cell;
	atomic_store(&cell->victim, NOBODY);
	if (ftruncate(said, 0) || lseek(said, 0, SEEK_SET))
		die("no file for the child's words");
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		child_begin(body, arg);
	setpgid(pid, pid);
	if (!child_wait(pid))
		atomic_store(&cell->outcome, BLOCKED);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	note_end(status);
	return atomic_load(&cell->outcome);
}

/* Units of all regions that are not free, by the page heap's own words. */
uint64_t claimed_size(void)
{
	struct region *all = text_symbol("regions");
	uint64_t units = 0;
	uint32_t word;
	unsigned i, l;

	for (i = 0; all && i < NR_REGIONS_MOST; i++) {
		struct region *r = &all[i];

		if (!region_is_ready(r))
			continue;
		units += load_relaxed(&r->nr_mapped); // quiet
		for (l = 0; l < NR_LEVELS; l++)
			for (word = 0; word < r->levels[l].nr_words; word++)
				units -= (uint64_t)bits_count(load_relaxed(
						 &r->levels[l].words[word]))
					 << 6 * l; // quiet
	}
	return units << UNIT_SHIFT;
}
