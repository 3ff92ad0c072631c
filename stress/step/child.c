/* child: processes, threads and checks of `step` and `last` */
#include "step.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct common common = {
	.timeout = 10,
	.work = 60,
	.jobs = 1,
	.conf = "reclaimer=0,purge_delay=3600000,purge_budget=256k,"
		"cpu_cache=1m"
};
struct place *place;

static char conf[256] = "LANEMALLOC_CONF=";
static int said; /* a file for the child's output */

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
	load_warm_up(&rare_parts);
	job_start();
}

void job_start(void)
{
	said = memfd_create("said", MFD_CLOEXEC);
	if (said < 0)
		die("no file for the child's words");
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
	if (!watch_until_end(pid, common.timeout))
		atomic_store(&cell->outcome, BLOCKED);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	note_end(status);
	return atomic_load(&cell->outcome);
}
