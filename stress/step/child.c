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
	trap_start(common.library);
	load_warm_up(&rare_parts);
	outside_open();
}

/* ---- a child ---- */

enum outcome child_do(void (*body)(const void *), const void *arg)
{
	int status;

	memset(place, 0, sizeof(*place));
	cell = &place->cell;
	outside_do(body, arg, common.timeout, &status);
	return atomic_load(&cell->outcome);
}
