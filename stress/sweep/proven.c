/* proven: the ledger of what earlier sweeps have shown, by proven.py
 *
 * The script knows functions by what they consist of; the driver gives it
 * offsets of this library, and gets such.
 */
#include "options.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *script(const char *what, const char *more, const char *direction)
{
	char command[8192];
	FILE *f;

	snprintf(command, sizeof(command), "'%s' %s '%s' '%s' %s",
		 options.prover, what, options.library, options.proven, more);
	f = popen(command, direction);
	if (!f)
		die("cannot run %s", options.prover);
	return f;
}

static void script_end(FILE *f)
{
	if (pclose(f))
		die("%s failed", options.prover);
}

static void mode_option(char *out, size_t size)
{
	snprintf(out, size, "--mode %c%u", shared->settings.mode,
		 shared->settings.hit);
}

void proven_say(void)
{
	char list[4096], from[4200], line[200];
	FILE *f;

	if (!options.proven)
		return;
	report_list(list, sizeof(list));
	snprintf(from, sizeof(from), "<'%s'", list);
	f = script("say", from, "r");
	while (fgets(line, sizeof(line), f))
		say("%s", line);
	script_end(f);
}

void proven_skip(void)
{
	char mode[40], line[40];
	uint32_t n = 0;
	FILE *f;
	long i;

	if (!options.skip_proven)
		return;
	mode_option(mode, sizeof(mode));
	f = script("skip", mode, "r");
	while (fgets(line, sizeof(line), f)) {
		i = text_find_offset((uint32_t)strtoul(line, NULL, 16));
		if (i < 0 || shared->results[i].outcome == NR_OUTCOMES)
			continue;
		shared->results[i].outcome = NR_OUTCOMES;
		n++;
	}
	script_end(f);
	say("mode %c, thread %u: %u instructions are proven\n",
	    shared->settings.mode, shared->settings.hit, n);
}

void proven_add(void)
{
	char mode[40];
	uint32_t i;
	FILE *f;

	if (!options.add_proven)
		return;
	mode_option(mode, sizeof(mode));
	f = script("add", mode, "w");
	for (i = 0; i < text.nr; i++) {
		const struct result *r = &shared->results[i];

		if (r->outcome != NOT_RUN)
			fprintf(f, "%#x %s\n", text.all[i].offset,
				report_strands(r) ? "stranded"
						  : outcome_names[r->outcome]);
	}
	script_end(f);
}
