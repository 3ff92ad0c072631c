/* layer 7.6: report: lanemalloc report PID|CORE|FILE
 *
 * Patterns of single stacks, each with its bytes and a sentence of advice:
 *
 *	at once		most of what it allocates is freed within moments
 *	keeps		all that it allocates stays
 *	waste		its blocks fill their size class badly (of a process or
 *			core, whose live blocks are looked at)
 *	among short	its blocks live on in a size class whose other blocks
 *			die young, and pin the slabs
 *	grows		realloc moves its blocks to make them larger
 *	crosses		its blocks are freed by other threads, or on other CPUs
 *			though they do not live long
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/profile.h"
#include "command/stacks.h"
#include "command/text.h"

#define KEY_HTML 256
#define SHORT_MS 100  /* an average life that is short */
#define MOVES_MS 1000 /* one in which a thread rather stays on its CPU */
#define CROSS_SHARE 0.5
#define INDENT 14
#define FREED_SHARE 0.95
#define WASTE_SHARE 0.15
#define GROUPS 48 /* of sizes, by powers of the square root of two */

struct arguments {
	const char *name, *output;
	size_t most, depth;
	uint64_t least;
	bool html;
};

enum pattern {
	AT_ONCE,
	KEEPS,
	WASTE,
	AMONG_SHORT,
	GROWS,
	CROSSES,
	NR_PATTERNS
};

struct finding {
	enum pattern pattern;
	const struct stack *stack;
	uint64_t size; /* bytes that it is about */
	char text[400];
};

struct report {
	struct finding *findings;
	size_t nr;
	const struct profile *profile;
	/* Objects allocated and freed, by size. */
	int64_t allocated[GROUPS], freed[GROUPS];
	int64_t alloc_space;
	uint64_t least;
};

static const char *const titles[] = {
	[AT_ONCE] = "allocated and freed at once",
	[KEEPS] = "kept: nothing of it is freed",
	[WASTE] = "fills its size class badly",
	[AMONG_SHORT] = "lives long among blocks that die young",
	[GROWS] = "grows by realloc",
	[CROSSES] = "crosses CPUs: freed elsewhere than allocated",
};

static const struct argp_option options[] = {
	{ "html", KEY_HTML, NULL, 0, "as a page of HTML", 0 },
	{ "output", 'o', "FILE", 0, "write there instead of to stdout", 0 },
	{ "most", 'n', "N", 0, "findings to show, 20", 0 },
	{ "depth", 'd', "N", 0, "calls of each, 8", 0 },
	{ "least", 'l', "BYTES", 0, "leave out what is about less; 1 MiB", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == KEY_HTML)
		a->html = true;
	else if (key == 'o')
		a->output = arg;
	else if (key == 'n')
		a->most = command_number(state, arg);
	else if (key == 'd')
		a->depth = command_number(state, arg);
	else if (key == 'l')
		a->least = command_number(state, arg);
	else
		return command_name(key, arg, state, "process or file",
				    &a->name);
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID|CORE|FILE",
	.doc = "What the program could do better with its memory, by stack, "
	       "with the bytes that it is about and a sentence of advice. "
	       "Which blocks are freed at once, which are kept, which fill "
	       "their size class badly, which live long among short ones, "
	       "which grow by realloc, which are freed by another thread or "
	       "on another CPU.",
};

/* Looking */

static __attribute__((format(printf, 5, 6))) void
find(struct report *r, enum pattern pattern, const struct stack *stack,
     uint64_t size, const char *format, ...)
{
	struct finding *f = &r->findings[r->nr];
	va_list args;

	if (size < r->least)
		return;
	*f = (struct finding){ pattern, stack, size, "" };
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	r->nr++;
}

static int64_t size_of(const struct stack *s)
{
	int64_t n = s->values[PROFILE_alloc_objects];

	return n > 0 ? s->values[PROFILE_alloc_space] / n : 0;
}

static unsigned group_of(const struct stack *s)
{
	uint64_t size = (uint64_t)size_of(s);
	unsigned top = size > 1 ? 63 - (unsigned)__builtin_clzll(size) : 0;
	unsigned group = 2 * top + (size * 2 >= 3ull << top);

	return group < GROUPS ? group : GROUPS - 1;
}

static double life_of(const struct stack *s)
{
	int64_t n = s->values[PROFILE_freed_objects];

	return n > 0 ? (double)s->values[PROFILE_lifetime] / (double)n : 0;
}

static double share(const struct stack *s, enum profile_value part,
		    enum profile_value whole)
{
	return percent(s->values[part], s->values[whole]) / 100;
}

static double freed_share(const struct stack *s)
{
	return share(s, PROFILE_freed_objects, PROFILE_alloc_objects);
}

/* "12 blocks of about 1 byte". */
#define BLOCKS_TEXT (2 * COUNT_TEXT + 16)
static const char *blocks_of(char buf[BLOCKS_TEXT], const struct stack *s,
			     enum profile_value value)
{
	char blocks[COUNT_TEXT], bytes[COUNT_TEXT];

	snprintf(buf, BLOCKS_TEXT, "%s of about %s",
		 text_count(blocks, (uint64_t)s->values[value], "block"),
		 text_count(bytes, (uint64_t)size_of(s), "byte"));
	return buf;
}

static void look_at_once(struct report *r, const struct stack *s)
{
	char text[BLOCKS_TEXT];

	if (freed_share(s) < FREED_SHARE || life_of(s) > SHORT_MS ||
	    share(s, PROFILE_grown_objects, PROFILE_alloc_objects) > 0.5)
		return;
	find(r, AT_ONCE, s, (uint64_t)s->values[PROFILE_alloc_space],
	     "%s lived %.1f ms on the average: keep one for the next call, or "
	     "take it from the stack where it is small",
	     blocks_of(text, s, PROFILE_alloc_objects), life_of(s));
}

static void look_keeps(struct report *r, const struct stack *s)
{
	int64_t space = s->values[PROFILE_inuse_space];
	int64_t nr = s->values[PROFILE_inuse_objects];

	if (space <= 0 || s->values[PROFILE_freed_objects] * 100 >
				  s->values[PROFILE_alloc_objects])
		return;
	if (nr == 1)
		find(r, KEEPS, s, (uint64_t)space,
		     "one block, which was not freed: data that stay, or a "
		     "leak that has just begun");
	else
		find(r, KEEPS, s, (uint64_t)space,
		     "%ld blocks, of which hardly one was freed: a leak, a "
		     "cache without a bound, or data that stay; if they stay, "
		     "allocate them in one piece",
		     nr);
}

static void look_waste(struct report *r, const struct stack *s)
{
	double space = (double)s->values[PROFILE_inuse_space];
	double wasted = (double)s->values[PROFILE_wasted_space];
	double part = wasted / (space + wasted + 1);
	char bytes[COUNT_TEXT];

	if (part < WASTE_SHARE)
		return;
	find(r, WASTE, s, (uint64_t)wasted,
	     "blocks of about %s leave %.0f %% of their size class unused: a "
	     "little smaller, or several in one block, would fit",
	     text_count(bytes, (uint64_t)size_of(s), "byte"), 100 * part);
}

static void look_among_short(struct report *r, const struct stack *s)
{
	unsigned group = group_of(s);
	int64_t others = r->allocated[group] - s->values[PROFILE_alloc_objects];
	int64_t freed = r->freed[group] - s->values[PROFILE_freed_objects];
	char pinned[SIZE_TEXT], text[BLOCKS_TEXT];

	if (freed_share(s) > 0.5 || s->values[PROFILE_inuse_space] <= 0 ||
	    others < 10 * s->values[PROFILE_inuse_objects] ||
	    (double)freed < FREED_SHARE * (double)others)
		return;
	find(r, AMONG_SHORT, s, (uint64_t)s->values[PROFILE_inuse_space],
	     "still there: %s, while %ld of %ld others of that size went, "
	     "which keeps slabs from going back (%s in which nothing else is "
	     "left); allocate these before the others, or from a pool of "
	     "their own",
	     blocks_of(text, s, PROFILE_inuse_objects), freed, others,
	     text_size(pinned, (uint64_t)s->values[PROFILE_pinned_space]));
}

static void look_grows(struct report *r, const struct stack *s)
{
	int64_t nr = s->values[PROFILE_grown_objects];
	int64_t space = s->values[PROFILE_grown_space];
	char blocks[COUNT_TEXT], bytes[COUNT_TEXT];

	if (nr <= 0 || space <= 0)
		return;
	find(r, GROWS, s, (uint64_t)space,
	     "made by a realloc that copied a smaller one: %ld of its %s, of "
	     "about %s; ask at first for what it will need, or grow by half "
	     "of what there is, not by a step",
	     nr,
	     text_count(blocks, (uint64_t)s->values[PROFILE_alloc_objects],
			"block"),
	     text_count(bytes, (uint64_t)(space / nr), "byte"));
}

/* How many blocks are freed elsewhere, and what to say of it. */
static int64_t crossing(const struct stack *s, const char **advice)
{
	int64_t nr = s->values[PROFILE_freed_by_other_thread];

	*advice = "by another thread than the one that allocates: let that "
		  "one free what comes back in batches, or reuse the blocks";
	if (share(s, PROFILE_freed_by_other_thread, PROFILE_freed_objects) >=
	    CROSS_SHARE)
		return nr;
	*advice = "on another CPU, to which the thread had moved: threads "
		  "that wake each other up often do; pin them, or let one do "
		  "what two do";
	nr = s->values[PROFILE_freed_on_other_cpu];
	if (share(s, PROFILE_freed_on_other_cpu, PROFILE_freed_objects) >=
		    CROSS_SHARE &&
	    life_of(s) < MOVES_MS)
		return nr;
	return 0;
}

static void look_crosses(struct report *r, const struct stack *s)
{
	const char *advice;
	int64_t nr = crossing(s, &advice);
	char text[BLOCKS_TEXT];

	if (nr > 0)
		find(r, CROSSES, s, (uint64_t)(nr * size_of(s)),
		     "freed: %s (%.0f %% on another CPU), of which %ld %s",
		     blocks_of(text, s, PROFILE_freed_objects),
		     100 * share(s, PROFILE_freed_on_other_cpu,
				 PROFILE_freed_objects),
		     nr, advice);
}

static int compare(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

static bool look(struct report *r)
{
	const struct profile *p = r->profile;

	r->findings = calloc(NR_PATTERNS * p->nr_stacks + 1,
			     sizeof(*r->findings));
	if (!r->findings)
		return false;
	for (size_t i = 0; i < p->nr_stacks; i++) {
		const struct stack *s = &p->stacks[i];
		unsigned group = group_of(s);

		r->allocated[group] += s->values[PROFILE_alloc_objects];
		r->freed[group] += s->values[PROFILE_freed_objects];
		r->alloc_space += s->values[PROFILE_alloc_space];
	}
	for (size_t i = 0; i < p->nr_stacks; i++) {
		look_at_once(r, &p->stacks[i]);
		look_keeps(r, &p->stacks[i]);
		look_waste(r, &p->stacks[i]);
		look_among_short(r, &p->stacks[i]);
		look_grows(r, &p->stacks[i]);
		look_crosses(r, &p->stacks[i]);
	}
	qsort(r->findings, r->nr, sizeof(*r->findings), compare);
	return true;
}

/* Telling */

static void put_text(FILE *out, const struct report *r,
		     const struct arguments *a)
{
	char size[SIZE_TEXT], whole[SIZE_TEXT];
	char findings[COUNT_TEXT], stacks[COUNT_TEXT];

	fprintf(out, "%s of at least %s in %s that allocated %s\n",
		text_count(findings, r->nr, "finding"),
		text_size(size, r->least),
		text_count(stacks, r->profile->nr_stacks, "stack"),
		text_size(whole, (uint64_t)r->alloc_space));
	if (!r->profile->has_wasted)
		fprintf(out, "what size classes waste is not in the file; "
			     "`lanemalloc profile` writes one that has it\n");
	for (size_t i = 0; i < r->nr && i < a->most; i++) {
		const struct finding *f = &r->findings[i];

		fprintf(out, "\n%12s  %s\n", text_size(size, f->size),
			titles[f->pattern]);
		fprintf(out, "%*s", INDENT, "");
		text_put_lines(out, INDENT, f->text);
		stack_put(out, r->profile, f->stack, a->depth);
	}
}

static void put_html_finding(FILE *out, const struct report *r,
			     const struct finding *f, size_t depth)
{
	char size[SIZE_TEXT], *text = NULL;
	size_t length;
	FILE *lines = open_memstream(&text, &length);

	fprintf(out, "<tr><td>%s</td><td><b>%s</b><br>",
		text_size(size, f->size), titles[f->pattern]);
	text_put_markup(out, f->text);
	fprintf(out, "<pre>");
	if (lines) {
		stack_put(lines, r->profile, f->stack, depth);
		if (!fclose(lines))
			text_put_markup(out, text);
		free(text);
	}
	fprintf(out, "</pre></td></tr>\n");
}

static void put_html(FILE *out, const struct report *r,
		     const struct arguments *a)
{
	char size[SIZE_TEXT], findings[COUNT_TEXT], stacks[COUNT_TEXT];
	char bytes[COUNT_TEXT];

	fprintf(out,
		"<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
		"<title>lanemalloc report</title>\n<style>body{font-family:"
		"sans-serif;max-width:60em;margin:2em auto}td{vertical-align:"
		"top;padding:.5em;border-top:1px solid #ccc}td:first-child"
		"{text-align:right;white-space:nowrap}pre{color:#555}</style>"
		"</head><body>\n<h1>");
	text_put_markup(out, a->name);
	fprintf(out,
		"</h1>\n<p>%s, in %s that allocated %s; sampled one in %s."
		"</p>\n<table>\n",
		text_count(findings, r->nr, "finding"),
		text_count(stacks, r->profile->nr_stacks, "stack"),
		text_size(size, (uint64_t)r->alloc_space),
		text_count(bytes, r->profile->interval, "byte"));
	for (size_t i = 0; i < r->nr && i < a->most; i++)
		put_html_finding(out, r, &r->findings[i], a->depth);
	fprintf(out, "</table></body></html>\n");
}

static int run(int argc, char **argv)
{
	struct arguments a = { .most = 20, .depth = 8, .least = 1 << 20 };
	struct report r = { 0 };
	struct profile p;
	FILE *out;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	r.profile = &p;
	r.least = a.least;
	if (!profile_open(a.name, &p))
		return 1;
	if (!look(&r))
		return command_fails("no memory");
	out = command_output(a.output);
	if (!out)
		return 1;
	if (a.html)
		put_html(out, &r, &a);
	else
		put_text(out, &r, &a);
	free(r.findings);
	profile_names_end();
	profile_free(&p);
	return command_output_end(out, a.output);
}

const struct subcommand report_command = { "report", &argp, run };
