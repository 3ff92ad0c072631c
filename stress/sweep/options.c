/* options: the command line */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
	.modes = "abcdef",
	.hits = "1",
	.jobs = 1,
	.failures = 25,
	.most_live = UINT32_MAX,
	.most_claimed = UINT32_MAX,
	.server = -1,
	.fd = -1,
};

static unsigned scenario_bit(const char *name)
{
	unsigned s;

	for (s = 0; scenarios[s].name; s++)
		if (!strcmp(scenarios[s].name, name))
			return 1u << s;
	die("no scenario %s", name);
}

_Noreturn static void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: sweep --library PATH [options]\n"
		"  --modes abcdef    a: sleeps for ever, b: exits, c: leaves "
		"by "
		"siglongjmp,\n"
		"                    d: allocates in the handler, e: forks, f: "
		"is delayed\n"
		"  --step N          every N-th reached instruction [1]\n"
		"  --phase N         from the N-th on [0]\n"
		"  --hit K,...       the K-th thread that comes by [1]\n"
		"  --jobs N          stops at a time [1]\n"
		"  --timeout S       blocked: S seconds without progress [10]\n"
		"  --tries N         where it is seldom reached [12]\n"
		"  --work N          steps of each thread [400]\n"
		"  --surveys N       runs that look what is reached [20]\n"
		"  --seed N          of the load's random numbers [0]\n"
		"  --only OFFSET     one instruction\n"
		"  --range FROM,TO   part of the library (names or offsets)\n"
		"  --functions F,... only these\n"
		"  --sample N        N of the reached instructions [all]\n"
		"  --enough N        end a mode when N were blocked [never]\n"
		"  --row NAME,FILE   adds a line of a table to the file\n"
		"  --state FILE      an interrupted sweep goes on with that\n"
		"  --report FILE     the report goes there, too\n"
		"  --most-objects N  it is a fault to strand more bytes\n"
		"  --most-address-space N\n"
		"  --scenario NAME   only under these circumstances\n"
		"  --failures N      print at most N of them [25]\n"
		"  --explain SCRIPT  why instructions are not reached; with "
		"--report\n"
		"  --expect-blocked  succeed if somebody was blocked\n"
		"  --verbose         every stop\n");
	exit(status);
}

static const struct option long_options[] = {
	{ "library", required_argument, NULL, 'l' },
	{ "modes", required_argument, NULL, 'm' },
	{ "step", required_argument, NULL, 's' },
	{ "phase", required_argument, NULL, 'p' },
	{ "hit", required_argument, NULL, 'k' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "timeout", required_argument, NULL, 't' },
	{ "tries", required_argument, NULL, 'T' },
	{ "work", required_argument, NULL, 'w' },
	{ "surveys", required_argument, NULL, 'y' },
	{ "seed", required_argument, NULL, 'e' },
	{ "only", required_argument, NULL, 'o' },
	{ "range", required_argument, NULL, 'r' },
	{ "functions", required_argument, NULL, 'u' },
	{ "sample", required_argument, NULL, 'a' },
	{ "enough", required_argument, NULL, 'g' },
	{ "row", required_argument, NULL, 'W' },
	{ "state", required_argument, NULL, 'z' },
	{ "report", required_argument, NULL, 'R' },
	{ "failures", required_argument, NULL, 'f' },
	{ "most-objects", required_argument, NULL, 'O' },
	{ "most-address-space", required_argument, NULL, 'A' },
	{ "scenario", required_argument, NULL, 'c' },
	{ "explain", required_argument, NULL, 'L' },
	{ "expect-blocked", no_argument, NULL, 'B' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "server", required_argument, NULL, 'S' },
	{ "fd", required_argument, NULL, 'F' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Which numbers of the settings the option is; NULL: it is no number. */
static unsigned *option_number(int c, struct settings *set)
{
	switch (c) {
	case 's':
		return &set->step;
	case 'p':
		return &set->phase;
	case 'j':
		return &options.jobs;
	case 't':
		return &set->timeout;
	case 'T':
		return &set->tries;
	case 'w':
		return &set->work;
	case 'y':
		return &set->surveys;
	case 'e':
		return &set->seed;
	case 'a':
		return &set->sample;
	case 'g':
		return &set->enough;
	case 'o':
		return &set->only;
	case 'f':
		return &options.failures;
	case 'O':
		return &options.most_live;
	case 'A':
		return &options.most_claimed;
	}
	return NULL;
}

/* Which texts; NULL: it is none. */
static const char **option_text(int c)
{
	switch (c) {
	case 'l':
		return &options.library;
	case 'm':
		return &options.modes;
	case 'k':
		return &options.hits;
	case 'r':
		return &options.range;
	case 'u':
		return &options.functions;
	case 'W':
		return &options.row;
	case 'L':
		return &options.explain;
	case 'z':
		return &options.state;
	case 'R':
		return &options.report;
	}
	return NULL;
}

static void option_take(int c, struct settings *set)
{
	unsigned *to = option_number(c, set);
	const char **text = option_text(c);

	if (to)
		*to = number_of(optarg);
	else if (text)
		*text = optarg;
	else if (c == 'c')
		set->scenarios = scenario_bit(optarg);
	else if (c == 'B')
		options.expect_blocked = true;
	else if (c == 'v')
		set->verbose = true;
	else if (c == 'S')
		options.server = (int)number_of(optarg);
	else if (c == 'F')
		options.fd = (int)number_of(optarg);
	else
		usage(c == 'h' ? 0 : 2);
}

static void check(const struct settings *set)
{
	if (!options.library)
		die("--library is missing");
	if (options.explain && !options.report)
		die("--explain is with --report");
	if (!set->step || set->work < 100)
		die("--step is at least 1, --work at least 100");
	if (!options.jobs || options.jobs > NR_SERVERS_MOST)
		die("--jobs is 1 to %d", NR_SERVERS_MOST);
	if (options.failures > NR_FAILURES_MOST)
		die("--failures is at most %d", NR_FAILURES_MOST);
	if (strspn(options.modes, "abcdef") != strlen(options.modes))
		die("a mode is one of a to f, not %s", options.modes);
}

void options_read(int argc, char **argv, struct settings *set)
{
	int c;

	*set = (struct settings){ .step = 1,
				  .timeout = 10,
				  .tries = 12,
				  .work = 400,
				  .surveys = 20,
				  .scenarios = ~0u };
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_take(c, set);
	if (optind != argc)
		usage(2);
	check(set);
}
