/* layer 7.6: stats: lanemalloc stats PID|CORE */
#include "command/command.h"
#include "command/show.h"

struct arguments {
	const char *name, *output;
	bool json, prometheus;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "one JSON object", 0 },
	{ "prometheus", 'p', NULL, 0, "as Prometheus reads it", 0 },
	{ "output", 'o', "FILE", 0, "write there instead of to stdout", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 'j')
		a->json = true;
	else if (key == 'p')
		a->prometheus = true;
	else if (key == 'o')
		a->output = arg;
	else
		return command_name(key, arg, state, "process or core",
				    &a->name);
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID|CORE",
	.doc = "The heap of a process, or of a core file. Per size class what "
	       "is live, cached and free, how full slabs are; per CPU; free "
	       "runs; what the kernel says is resident, and why memory does "
	       "not go back. The process is neither stopped nor changed.",
};

/* The file is opened last: what could not be read leaves it as it was. */
static int show(const struct arguments *a)
{
	struct image image;
	struct root root;
	struct heap heap;
	struct shown shown = { &image, &root, &heap };
	FILE *out;

	if (!command_open(&image, &root, a->name))
		return 1;
	if (!heap_read(&image, &root, &heap, NULL, NULL))
		return command_fails("%s", image.error);
	out = command_output(a->output);
	if (!out)
		return 1;
	if (a->json)
		show_json(out, &image, &root, &heap);
	else if (a->prometheus)
		show_prometheus(out, &shown, 1);
	else
		show_text(out, &image, &root, &heap);
	heap_free(&heap);
	image_close(&image);
	return command_output_end(out, a->output);
}

static int run(int argc, char **argv)
{
	struct arguments a = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return show(&a);
}

const struct subcommand stats_command = { "stats", &argp, run };
