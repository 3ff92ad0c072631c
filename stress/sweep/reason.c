/* reason: why an instruction is never reached
 *
 * A reason is found by the function that an instruction comes from, inlined
 * or not, and by what stands in its source line; so it holds for that branch
 * alone, wherever the compiler puts it.
 */
#include "reason.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

static bool applies(const struct reason *r, const struct frame *f)
{
	return (!r->function || !strcmp(r->function, f->function)) &&
	       (!r->line || strstr(f->line, r->line));
}

/* The first that applies to any of the functions; NULL: none. */
static const char *reason_of(const struct source *s)
{
	const struct reason *r;
	unsigned f;

	for (r = reasons; r->why; r++)
		for (f = 0; f < s->nr; f++)
			if (applies(r, &s->frames[f]))
				return r->why;
	return NULL;
}

static void say_unexplained(uint32_t instruction, const struct source *s)
{
	char where[200];
	unsigned f;

	text_where(text.all[instruction].offset, where, sizeof(where));
	say("  UNEXPLAINED: %s", where);
	for (f = 0; f < s->nr && f < 3; f++)
		say("%s %s: %s", f ? " <" : "", s->frames[f].function,
		    s->frames[f].line);
	say("\n");
}

/* One function's instructions are [first, end); each reason once. */
static void say_function(const uint32_t *all, uint32_t first, uint32_t end,
			 const char *const *why)
{
	uint32_t i, k;
	unsigned n;

	for (i = first; i < end; i++) {
		for (k = first; k < i && why[k] != why[i]; k++)
			;
		if (k < i || !why[i])
			continue;
		for (n = 0; k < end; k++)
			n += why[k] == why[i];
		say("  never reached: %4u in %s: %s\n", n,
		    text_name(all[first]), why[i]);
	}
}

uint32_t reason_report(const char *library, const uint32_t *all, uint32_t n)
{
	struct source *sources = calloc(n + 1, sizeof(*sources));
	uint32_t *offsets = calloc(n + 1, sizeof(*offsets));
	const char **why = calloc(n + 1, sizeof(*why));
	uint32_t i, first = 0, nr_unexplained = 0;

	for (i = 0; i < n; i++)
		offsets[i] = text.all[all[i]].offset;
	if (n)
		source_find(library, offsets, n, sources);
	for (i = 0; i < n; i++)
		why[i] = reason_of(&sources[i]);
	for (i = 1; i <= n; i++) {
		if (i < n && text.all[all[i]].name == text.all[all[first]].name)
			continue;
		say_function(all, first, i, why);
		first = i;
	}
	for (i = 0; i < n; i++) {
		if (why[i])
			continue;
		say_unexplained(all[i], &sources[i]);
		nr_unexplained++;
	}
	free(sources);
	free(offsets);
	free(why);
	return nr_unexplained;
}
