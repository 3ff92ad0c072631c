/* options: the command line */
#include "options.h"

#include <string.h>

#include "../harness/options.h"
#include "last.h"

struct options options = {
	.modes = "abcdef",
	.hits = "1",
	.prover = "stress/sweep/proven.py",
	.jobs = 1,
	.most = 400,
	.threads = 8,
	.trials = 20,
	.calls = 6,
	.failures = 25,
	.most_live = UINT32_MAX,
	.most_claimed = UINT32_MAX,
	.fd = -1,
};

static struct settings set = {
	.timeout = 10,
	.tries = 12,
	.surveys = 20,
	.scenarios = ~0u,
};

#define NUMBER(name, to, least, most, help) \
	OPTION_NUMBER(name, &(to), least, most, help)
#define COUNT(name, to, help) NUMBER(name, to, 0, UINT32_MAX, help)

static const struct option_row rows[] = {
	OPTION_TEXT("library", &options.library, "that is swept"),
	OPTION_TEXT("modes", &options.modes,
		    "a: sleeps for ever, b: exits, c: leaves by siglongjmp,\n"
		    "\t\td: allocates in the handler, e: forks, f: is delayed"),
	COUNT("step", set.step, "every N-th that is reached"),
	COUNT("phase", set.phase, "from the N-th on"),
	OPTION_TEXT("hit", &options.hits, "K,...: the K-th that comes by"),
	NUMBER("jobs", options.jobs, 1, NR_SERVERS_MOST, "stops at a time"),
	COUNT("timeout", set.timeout, "blocked: N seconds without progress"),
	COUNT("tries", set.tries, "where it is seldom reached"),
	COUNT("work", set.work, "steps of each thread"),
	COUNT("surveys", set.surveys, "runs that look what is reached"),
	COUNT("seed", set.seed, "of the load's random numbers"),
	COUNT("only", set.only, "one instruction, by its offset"),
	OPTION_TEXT("range", &options.range, "FROM,TO: names or offsets"),
	OPTION_TEXT("functions", &options.functions, "F,...: only these"),
	COUNT("sample", set.sample, "so many of those that are reached"),
	COUNT("enough", set.enough, "end a mode when N were blocked"),
	OPTION_TEXT("row", &options.row, "NAME,FILE: a line of a table there"),
	OPTION_TEXT("state", &options.state, "goes on with an interrupted one"),
	OPTION_TEXT("report", &options.report, "the report goes there, too"),
	COUNT("most-objects", options.most_live, "more bytes stranded: bad"),
	COUNT("most-address-space", options.most_claimed, "the same of these"),
	OPTION_TEXT("scenario", &options.scenario, "only this one"),
	NUMBER("failures", options.failures, 0, NR_FAILURES_MOST, "printed"),
	OPTION_TEXT("explain", &options.explain,
		    "the script: why some are not reached; with --report"),
	OPTION_TEXT("proven", &options.proven,
		    "says how much a ledger has; with --report"),
	OPTION_TEXT("prover", &options.prover, "the script that keeps it"),
	OPTION_SWITCH("skip-proven", &options.skip_proven,
		      "stops only at what the ledger has not"),
	OPTION_SWITCH("add-proven", &options.add_proven,
		      "what is shown goes there"),
	OPTION_SWITCH("expect-blocked", &options.expect_blocked,
		      "succeed if somebody was blocked"),
	OPTION_SWITCH("verbose", &set.verbose, "every stop"),
	OPTION_SWITCH("steps", &options.steps, "at steps of operations"),
	OPTION_TEXT("operation", &options.operation, "with that in its name"),
	NUMBER("most", options.most, 1, UINT32_MAX, "steps of each in a mode"),
	OPTION_SWITCH("last", &options.last, "all threads but one, for ever"),
	NUMBER("threads", options.threads, 2, NR_THREADS_MOST, "in all"),
	NUMBER("trials", options.trials, 1, UINT32_MAX, "each with its seed"),
	NUMBER("calls", options.calls, 1, UINT32_MAX, "of each kind, about"),
	OPTION_SWITCH("loose", &options.loose, "bounds are not judged"),
	NUMBER("server", options.server, 0, NR_SERVERS_MOST, "own use"),
	NUMBER("fd", options.fd, 0, INT32_MAX, "own use"),
};

static unsigned scenario_bit(const char *name)
{
	unsigned s;

	for (s = 0; scenarios[s].name; s++)
		if (!strcmp(scenarios[s].name, name))
			return 1u << s;
	die("no scenario %s", name);
}

static void set_defaults(void)
{
	static const char *const conf[] = {
		"reclaimer=0,purge_delay=1,purge_budget=256k,cpu_cache=1m",
		"reclaimer=0,purge_delay=3600000,purge_budget=256k,"
		"cpu_cache=1m",
		"reclaimer=0,purge_delay=20,purge_budget=256k,cpu_cache=1m",
	};

	scenario_set_conf(conf[options.last ? 2 : options.steps]);
	if (!set.work)
		set.work = options.steps ? 60 : 400;
	/* Of an operation so many steps that `most` are left. */
	if (!set.step && !options.steps)
		set.step = 1;
}

static void check(void)
{
	if (!options.library)
		die("--library is missing");
	if ((options.explain || options.proven) && !options.report)
		die("--explain and --proven are with --report");
	if ((options.skip_proven || options.add_proven) && !options.proven)
		die("--proven is missing");
	if (set.work < (options.steps ? 20 : 100))
		die("--work is too little");
	if (options.state && (options.steps || options.last))
		die("only a sweep of instructions goes on");
	if (strspn(options.modes, "abcdef") != strlen(options.modes))
		die("a mode is one of a to f, not %s", options.modes);
}

void options_take(int argc, char **argv, struct settings *out)
{
	options_read_rows(argc, argv, rows);
	set_defaults();
	check();
	if (options.scenario)
		set.scenarios = scenario_bit(options.scenario);
	*out = set;
}
