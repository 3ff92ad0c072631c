/* report: what is printed: one line per mode, faults, what is not reached */
#include "report.h"

#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *copy; /* of all; NULL: none */

void report_open(const char *path, bool more)
{
	copy = fopen(path, more ? "ae" : "we");
	if (!copy)
		die("cannot write %s", path);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
	if (!copy)
		return;
	va_start(args, format);
	vfprintf(copy, format, args);
	va_end(args);
	fflush(copy);
}

const char *const outcome_names[NR_OUTCOMES] = {
	"not run", "stopped", "not reached", "blocked", "crashed", "unsound"
};

/* With all blocks freed and no stop, nothing of a heap that began empty may be
 * in use but some words of libc's own. */
#define REST_MOST 4096

unsigned report_rest(void)
{
	unsigned s, bad = 0;

	for (s = 0; scenarios[s].name; s++) {
		uint64_t rest = shared->bases[s].live_size;

		if (!scenarios[s].reset || scenarios[s].no_measure)
			continue;
		if (rest <= REST_MOST)
			continue;
		say("  lost without any stop (%s): %lu bytes\n",
		    scenarios[s].name, (unsigned long)rest);
		bad++;
	}
	return bad;
}

unsigned scenarios_reaching(uint32_t i)
{
	unsigned s, n = 0;

	for (s = 0; s < NR_SCENARIOS_MOST; s++)
		n += shared_reached(s)[i] != 0;
	return n;
}

unsigned report_failures(void)
{
	uint32_t i, n = atomic_load(&shared->nr_failures);

	for (i = 0; i < n && i < options.failures; i++) {
		const struct failure *f = &shared->failures[i];

		say("  %s at %s: %s\n", outcome_names[f->outcome], f->where,
		    f->text);
	}
	if (n > i)
		say("  and %u more\n", n - i);
	atomic_store(&shared->nr_failures, 0);
	return n;
}

static void report_most(const char *what, uint32_t most, uint32_t at)
{
	char where[200];

	if (!most)
		return;
	text_where(text.all[at].offset, where, sizeof(where));
	say("  most %s stranded: %u bytes, at %s (%s)\n", what, most, where,
	    scenarios[shared->results[at].scenario].name);
}

/* Of each mode, for the table. */
static struct {
	unsigned tried, bad;
} sums[NR_MODES];

/* "NAME,FILE": adds a line to the table there. */
void report_row(const char *name_and_file)
{
	const char *comma = strchr(name_and_file, ',');
	FILE *file = comma ? fopen(comma + 1, "ae") : NULL;
	unsigned i;

	if (!file)
		die("cannot write a table: %s", name_and_file);
	fprintf(file, "| %.*s |", (int)(comma - name_and_file), name_and_file);
	for (i = 0; i < NR_MODES; i++)
		if (sums[i].tried)
			fprintf(file, " %u of %u |", sums[i].bad,
				sums[i].tried);
	fprintf(file, "\n");
	fclose(file);
}

static void report_groups(void)
{
	uint32_t nr = atomic_load(&shared->nr_groups);

	if (nr)
		say("  %u runs with several stops, %u with a fault; good for "
		    "%u stops\n",
		    nr, atomic_load(&shared->nr_amiss),
		    atomic_load(&shared->nr_grouped));
}

void report_mode(int mode, double seconds)
{
	unsigned count[NR_OUTCOMES] = { 0 }, bare = 0;
	uint32_t i, live = 0, live_at = 0, claimed = 0, claimed_at = 0;
	uint32_t tried = 0;
	char which[40];

	for (i = 0; i < text.nr; i++) {
		const struct result *r = &shared->results[i];

		count[r->outcome]++;
		tried += r->outcome != NOT_RUN;
		bare += r->victim_bare;
		if (r->live_size > live)
			live = r->live_size, live_at = i;
		if (r->claimed_size > claimed)
			claimed = r->claimed_size, claimed_at = i;
	}
	snprintf(which, sizeof(which),
		 shared->settings.hit > 1 ? "mode %c, thread %u:" : "mode %c:",
		 mode, shared->settings.hit);
	say("%s stopped at %u of %u instructions, %u never reached, "
	    "%u blocked, %u crashed, %u unsound, at most %u bytes stranded "
	    "(%u of address space); %.0f s\n",
	    which, tried - count[NOT_REACHED], tried, count[NOT_REACHED],
	    count[BLOCKED], count[CRASHED], count[UNSOUND], live, claimed,
	    seconds);
	report_groups();
	if (bare)
		say("  at %u the victim was a thread of the library's own\n",
		    bare);
	report_most("objects", live, live_at);
	report_most("address space", claimed, claimed_at);
	report_failures();
	shared->nr_stopped += count[BLOCKED];
	sums[mode - 'a'].tried += tried - count[NOT_REACHED];
	sums[mode - 'a'].bad +=
		count[BLOCKED] + count[CRASHED] + count[UNSOUND];
	shared->nr_bad += count[BLOCKED] + count[CRASHED] + count[UNSOUND];
	shared->nr_bad +=
		live > options.most_live || claimed > options.most_claimed;
	/* Whoever goes on strands nothing. */
	if (!mode_loses(mode) && live) {
		say("  and none should be, as nobody was lost\n");
		shared->nr_bad++;
	}
}

void report_list(char *out, size_t size)
{
	snprintf(out, size, "%s.reached", options.report);
}

bool report_strands(const struct result *r)
{
	/* Whoever goes on strands nothing. */
	return r->live_size > options.most_live ||
	       r->claimed_size > options.most_claimed ||
	       (!mode_loses(shared->settings.mode) && r->live_size);
}

/* By function, where nobody asks for the reasons. */
static void say_unreached(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < text.nr; i++) {
		n += !scenarios_reaching(i) && !text.all[i].padding;
		if (i + 1 < text.nr && text.all[i + 1].name == text.all[i].name)
			continue;
		if (n)
			say("  never reached: %4u in %s\n", n, text_name(i));
		n = 0;
	}
}

/* A line for each instruction: its offset, by how many scenarios it is
 * reached, whether it is a no-op. */
static void write_reached(void)
{
	char path[4096];
	FILE *file;
	uint32_t i;

	report_list(path, sizeof(path));
	file = fopen(path, "we");
	if (!file)
		die("cannot write %s", path);
	for (i = 0; i < text.nr; i++)
		fprintf(file, "%#x %u %d\n", text.all[i].offset,
			scenarios_reaching(i), text.all[i].padding);
	if (fclose(file))
		die("cannot write %s", path);
}

/* explain.py reads that list; false: not all has a reason. */
static bool say_reasons(const char *explain, const char *library,
			const char *list)
{
	char command[8192], line[1024];
	FILE *from;

	snprintf(command, sizeof(command), "'%s' '%s' <'%s'", explain, library,
		 list);
	from = popen(command, "r");
	while (from && fgets(line, sizeof(line), from))
		say("%s", line);
	return from && !pclose(from);
}

unsigned report_unreached(const struct unreached *u)
{
	char list[4096];

	if (options.report)
		write_reached();
	if (!u->explain) {
		say_unreached();
		return 0;
	}
	report_list(list, sizeof(list));
	return !say_reasons(u->explain, u->library, list);
}

void report_survey(void)
{
	unsigned s;

	for (s = 0; scenarios[s].name; s++) {
		uint32_t i, n = 0, fresh = 0;

		for (i = 0; i < text.nr; i++) {
			unsigned before = 0, k;

			for (k = 0; k < s; k++)
				before |= shared_reached(k)[i];
			n += shared_reached(s)[i] != 0;
			fresh += shared_reached(s)[i] && !before;
		}
		if (n)
			say("scenario %-9s reaches %5u, %4u of them new\n",
			    scenarios[s].name, n, fresh);
	}
}
