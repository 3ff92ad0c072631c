/* main: the command line of the load programs
 *
 * Prints one line: NAME threads T operations N seconds S ns_per_operation X,
 * and what the load itself has to tell, as further pairs of key and value.
 */
#define _GNU_SOURCE
#include "../harness/options.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 16384

/* The linker's names for the ends of the section that LOAD() writes to. */
extern const struct load *const __start_loads[];
extern const struct load *const __stop_loads[];

static struct run given = { .threads = 1, .seed = 1 };
static const char *name;
static double scale = 1;
static bool listed;

static const struct option_row options[] = {
	OPTION_WORD("NAME", &name, "the load; see --list"),
	OPTION_NUMBER("threads", &given.threads, 1, MOST_THREADS,
		      "for a parallel load; 1"),
	OPTION_REAL("scale", &scale, 1e6,
		    "times the usual number of operations"),
	OPTION_SWITCH("verify", &given.verify, "fills every block, checks it"),
	OPTION_NUMBER("seed", &given.seed, 0, UINT64_MAX,
		      "of the random numbers; 1"),
	OPTION_SWITCH("list", &listed, "the loads: name, kind, about"),
};

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct load *const *)a)->name,
		      (*(const struct load *const *)b)->name);
}

static int list(void)
{
	size_t nr = (size_t)(__stop_loads - __start_loads);
	const struct load **sorted = load_table(nr * sizeof(*sorted));

	memcpy(sorted, __start_loads, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), by_name);
	for (size_t i = 0; i < nr; i++)
		printf("%s %s %s\n", sorted[i]->name,
		       sorted[i]->parallel ? "parallel" : "single",
		       sorted[i]->about);
	return fflush(stdout) ? 1 : 0;
}

static const struct load *find(const char *wanted)
{
	if (!wanted)
		load_die("which load? see load --list");
	for (const struct load *const *load = __start_loads;
	     load < __stop_loads; load++) {
		if (!strcmp((*load)->name, wanted))
			return *load;
	}
	load_die("no load is named '%s'; see load --list", wanted);
}

static int run_load(void)
{
	const struct load *load = find(name);
	struct run run = given;
	double seconds;

	if (!load->parallel && run.threads != 1)
		load_die("%s has one thread", load->name);
	run.operations = (unsigned long)((double)load->operations * scale);
	run.operations += !run.operations;
	run.kind = load->kind;
	seconds = load_run(load, &run);
	printf("%s threads %u operations %lu seconds %.6f "
	       "ns_per_operation %.3f%s\n",
	       load->name, run.threads, run.operations, seconds,
	       seconds * 1e9 / (double)run.operations, load_results());
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	options_read_rows(argc, argv, options);
	return listed ? list() : run_load();
}
