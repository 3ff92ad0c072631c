/* layer 7.6: leaks: lanemalloc leaks PID|CORE|FILE */
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/profile.h"
#include "command/stacks.h"
#include "command/text.h"

struct arguments {
	const char *name;
	size_t most, depth;
	uint64_t least;
};

static const struct argp_option options[] = {
	{ "most", 'n', "N", 0, "stacks to show, 20", 0 },
	{ "depth", 'd', "N", 0, "calls of each, 12", 0 },
	{ "least", 'l', "BYTES", 0, "leave out stacks that hold less", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 'n')
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
	.doc = "The stacks that hold the most memory, with how much of what "
	       "they allocated was never freed. Of a process or core whose "
	       "profile is or was on, or of a file that has one. At exit, "
	       "what is in use is what leaks.",
};

static int compare(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return (x->values[PROFILE_inuse_space] <
		y->values[PROFILE_inuse_space]) -
	       (x->values[PROFILE_inuse_space] >
		y->values[PROFILE_inuse_space]);
}

static void put_stack(const struct profile *p, const struct stack *s,
		      int64_t whole, size_t depth)
{
	int64_t space = s->values[PROFILE_inuse_space];
	int64_t nr = s->values[PROFILE_inuse_objects];
	char size[SIZE_TEXT], each[SIZE_TEXT], blocks[COUNT_TEXT];

	printf("%12s  %5.1f %%  %s of about %s; of what this stack "
	       "allocated %.0f %% was never freed\n",
	       text_size(size, (uint64_t)space), percent(space, whole),
	       text_count(blocks, (uint64_t)nr, "block"),
	       text_size(each, nr ? (uint64_t)(space / nr) : 0),
	       percent(space, s->values[PROFILE_alloc_space]));
	stack_put(stdout, p, s, depth);
}

static void put_head(const struct profile *p, int64_t whole, int64_t nr)
{
	char size[SIZE_TEXT], interval[SIZE_TEXT];
	char blocks[COUNT_TEXT], stacks[COUNT_TEXT];

	printf("in use %s in %s, by %s; sampled one in %s",
	       text_size(size, (uint64_t)whole),
	       text_count(blocks, (uint64_t)nr, "block"),
	       text_count(stacks, p->nr_stacks, "stack"),
	       text_size(interval, p->interval));
	if (p->nr_dropped)
		printf("; samples lost: %lu (profile_memory)", p->nr_dropped);
	printf("\nwhat was allocated while the profile was off is not in it\n");
}

static void put(struct profile *p, const struct arguments *a)
{
	int64_t whole = 0, nr = 0;
	size_t i;

	for (i = 0; i < p->nr_stacks; i++) {
		whole += p->stacks[i].values[PROFILE_inuse_space];
		nr += p->stacks[i].values[PROFILE_inuse_objects];
	}
	if (p->nr_stacks)
		qsort(p->stacks, p->nr_stacks, sizeof(*p->stacks), compare);
	put_head(p, whole, nr);
	for (i = 0; i < p->nr_stacks && i < a->most; i++) {
		const struct stack *s = &p->stacks[i];

		if (s->values[PROFILE_inuse_space] <= 0 ||
		    (uint64_t)s->values[PROFILE_inuse_space] < a->least)
			break;
		put_stack(p, s, whole, a->depth);
	}
}

static int run(int argc, char **argv)
{
	struct arguments a = { .most = 20, .depth = 12 };
	struct profile p;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!profile_open(a.name, &p))
		return 1;
	put(&p, &a);
	profile_names_end();
	profile_free(&p);
	return command_output_end(stdout, NULL);
}

const struct subcommand leaks_command = { "leaks", &argp, run };
