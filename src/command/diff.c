/* layer 7.6: diff: lanemalloc diff A B
 *
 * Stacks are the same if their calls are in the same places of the same files,
 * so that two runs can be compared, wherever files are mapped.
 */
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/profile.h"
#include "command/stacks.h"
#include "command/text.h"

#define KEY_ALLOC 256

struct arguments {
	const char *names[2];
	size_t most, depth;
	bool alloc;
};

static const struct argp_option options[] = {
	{ "most", 'n', "N", 0, "stacks to show, 20", 0 },
	{ "depth", 'd', "N", 0, "calls of each, 12", 0 },
	{ "alloc", KEY_ALLOC, NULL, 0,
	  "what was allocated, instead of what "
	  "is in use",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 'n')
		a->most = command_number(state, arg);
	else if (key == 'd')
		a->depth = command_number(state, arg);
	else if (key == KEY_ALLOC)
		a->alloc = true;
	else if (key == ARGP_KEY_ARG && state->arg_num < 2)
		a->names[state->arg_num] = arg;
	else if (key == ARGP_KEY_ARG)
		command_misused("diff: two profiles, and '%s' is one more",
				arg);
	else if (key == ARGP_KEY_NO_ARGS ||
		 (key == ARGP_KEY_END && state->arg_num != 2))
		command_lacks(state, "profile");
	else if (key != ARGP_KEY_END)
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "A B",
	.doc = "Which stacks hold more in B than in A, and which less. Each is "
	       "a file with a profile, or a process or core that has one.",
};

/* A stack in one of the two. */
struct row {
	char *key;
	const struct profile *profile;
	const struct stack *stack;
	int64_t space, objects; /* below 0 in A */
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->key,
		      ((const struct row *)b)->key);
}

static int by_space(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int64_t m = x->space < 0 ? -x->space : x->space;
	int64_t n = y->space < 0 ? -y->space : y->space;

	return (m < n) - (m > n);
}

static size_t rows_add(struct row *rows, size_t nr, const struct profile *p,
		       const struct arguments *a, int sign)
{
	int space = a->alloc ? PROFILE_alloc_space : PROFILE_inuse_space;
	int objects = a->alloc ? PROFILE_alloc_objects : PROFILE_inuse_objects;

	for (size_t i = 0; i < p->nr_stacks; i++) {
		const struct stack *s = &p->stacks[i];
		char *key = stack_key(p, s);

		if (key)
			rows[nr++] = (struct row){ key, p, s,
						   sign * s->values[space],
						   sign * s->values[objects] };
	}
	return nr;
}

/* Rows of one key become one. */
static size_t rows_join(struct row *rows, size_t nr)
{
	size_t n = 0;

	for (size_t i = 0; i < nr; i++) {
		if (n && !strcmp(rows[n - 1].key, rows[i].key)) {
			rows[n - 1].space += rows[i].space;
			rows[n - 1].objects += rows[i].objects;
			free(rows[i].key);
		} else {
			rows[n++] = rows[i];
		}
	}
	return n;
}

/* A leak that is small beside the interval has no sample yet. */
static void put_nothing(const struct profile *p)
{
	char interval[SIZE_TEXT];

	printf("no stack differs; sampled one in %s: wait for longer, or start "
	       "the program with a smaller profile_interval\n",
	       text_size(interval, p->interval));
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static void put(struct row *rows, size_t nr, const struct arguments *a)
{
	char size[SIZE_TEXT], blocks[COUNT_TEXT];
	int64_t whole = 0;

	for (size_t i = 0; i < nr; i++)
		whole += rows[i].space;
	printf("%s %c%s\n", a->alloc ? "allocated" : "in use",
	       whole < 0 ? '-' : '+', text_size(size, magnitude(whole)));
	for (size_t i = 0; i < nr && i < a->most && rows[i].space; i++) {
		const struct row *r = &rows[i];

		printf("%c%11s  %c%s\n", r->space < 0 ? '-' : '+',
		       text_size(size, magnitude(r->space)),
		       r->objects < 0 ? '-' : '+',
		       text_count(blocks, magnitude(r->objects), "block"));
		stack_put(stdout, r->profile, r->stack, a->depth);
	}
}

static int compare(const struct arguments *a, const struct profile *p)
{
	size_t nr = p[0].nr_stacks + p[1].nr_stacks;
	struct row *rows = calloc(nr + 1, sizeof(*rows));

	if (!rows)
		return command_fails("no memory");
	nr = rows_add(rows, 0, &p[0], a, -1);
	nr = rows_add(rows, nr, &p[1], a, 1);
	qsort(rows, nr, sizeof(*rows), by_key);
	nr = rows_join(rows, nr);
	qsort(rows, nr, sizeof(*rows), by_space);
	put(rows, nr, a);
	if (!nr || !rows[0].space)
		put_nothing(&p[1]);
	for (size_t i = 0; i < nr; i++)
		free(rows[i].key);
	free(rows);
	return 0;
}

static int run(int argc, char **argv)
{
	struct arguments a = { .most = 20, .depth = 12 };
	struct profile p[2];
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!profile_open(a.names[0], &p[0]) ||
	    !profile_open(a.names[1], &p[1]))
		return 1;
	status = compare(&a, p);
	profile_names_end();
	profile_free(&p[0]);
	profile_free(&p[1]);
	return command_output_end(stdout, NULL) | status;
}

const struct subcommand diff_command = { "diff", &argp, run };
