/* main: the command line of the load programs
 *
 * Prints one line: NAME threads T operations N seconds S ns_per_operation X,
 * and what the load itself has to tell, as further pairs of key and value.
 */
#include "run.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 16384

/* The linker's names for the ends of the section that LOAD() writes to. */
extern const struct load *const __start_loads[];
extern const struct load *const __stop_loads[];

struct command {
	struct run run;
	const char *name;
	double scale;
	bool list;
};

static const struct argp_option options[] = {
	{ "threads", 't', "N", 0, "Threads, for a parallel load; 1", 0 },
	{ "scale", 's', "X", 0, "Times the usual number of operations", 0 },
	{ "verify", 'v', NULL, 0, "Fill every block and check it", 0 },
	{ "seed", 'r', "N", 0, "Of the random numbers; 1", 0 },
	{ "list", 'l', NULL, 0, "Print the loads: name, kind, about", 0 },
	{ "help", 'h', NULL, 0, "Print this", 0 },
	{ 0 }
};

static unsigned long parse_count(const char *what, const char *text,
				 unsigned long least, unsigned long most)
{
	char *end;
	unsigned long count;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') ||
	    count < least || count > most)
		load_die("--%s takes a number of %lu to %lu, not '%s'", what,
			 least, most, text);
	return count;
}

static double parse_scale(const char *text)
{
	char *end;
	double scale = strtod(text, &end);

	if (end == text || *end || !(scale > 0 && scale <= 1e6))
		load_die("--scale takes a number above 0, up to 1e6, not '%s'",
			 text);
	return scale;
}

static error_t parse_name(struct command *command, const char *name)
{
	if (command->name)
		load_die("one load at a time, not %s and %s", command->name,
			 name);
	command->name = name;
	return 0;
}

static error_t parse(int key, char *text, struct argp_state *state);

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME",
	.doc = "Runs one load and prints how long it took."
};

/* Errors are one line of ours, so argp is silent; then it has no help. */
#define ARGP_FLAGS (ARGP_NO_ERRS | ARGP_NO_HELP)

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct command *command = state->input;

	switch (key) {
	case 't':
		command->run.threads = (unsigned)parse_count("threads", text, 1,
							     MOST_THREADS);
		return 0;
	case 's':
		command->scale = parse_scale(text);
		return 0;
	case 'v':
		command->run.verify = true;
		return 0;
	case 'r':
		command->run.seed = parse_count("seed", text, 0, UINT64_MAX);
		return 0;
	case 'l':
		command->list = true;
		return 0;
	case 'h':
		argp_help(&argp, stdout, ARGP_HELP_STD_HELP, (char *)"load");
		exit(0);
	case ARGP_KEY_ARG:
		return parse_name(command, text);
	}
	return ARGP_ERR_UNKNOWN;
}

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

static const struct load *find(const char *name)
{
	if (!name)
		load_die("which load? see load --list");
	for (const struct load *const *load = __start_loads;
	     load < __stop_loads; load++) {
		if (!strcmp((*load)->name, name))
			return *load;
	}
	load_die("no load is named '%s'; see load --list", name);
}

static int run_load(const struct command *command)
{
	const struct load *load = find(command->name);
	struct run run = command->run;
	double seconds;

	if (!load->parallel && run.threads != 1)
		load_die("%s has one thread", load->name);
	run.operations = (unsigned long)((double)load->operations *
					 command->scale);
	if (!run.operations)
		run.operations = 1;
	seconds = load_run(load, &run);
	printf("%s threads %u operations %lu seconds %.6f "
	       "ns_per_operation %.3f%s\n",
	       load->name, run.threads, run.operations, seconds,
	       seconds * 1e9 / (double)run.operations, load_results());
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct command command = {
		.run = { .threads = 1, .seed = 1 }, .scale = 1
	};

	if (argp_parse(&argp, argc, argv, ARGP_FLAGS, NULL, &command))
		load_die("unknown option, or one without its value; "
			 "see load --help");
	return command.list ? list() : run_load(&command);
}
