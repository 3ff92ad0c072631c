/* layer 7.6: map: lanemalloc map PID|CORE -o heap.svg
 *
 * A picture of the address space: rows of ROW_UNITS units, a cell a unit, from
 * low addresses to high ones, region after region. Neighbours in a row that
 * look alike are one rectangle. The hue is the size class, the lightness how
 * full the slab is; runs are grey, free memory is white or hatched.
 */
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/text.h"

#define ROW_UNITS 128u
#define CELL_WIDTH 6u
#define CELL_HEIGHT 9u
#define LEFT 130u
#define TOP 60u
#define TITLES_MOST 30000u /* beyond, no cell tells what it is */
#define LEGEND_WIDTH 230u
#define LEGEND_LINE 16u

struct picture {
	FILE *out;
	const struct heap *heap;
	uint64_t unit_size;
	struct unit_run *runs;
	size_t nr_runs, most_runs;
	uint64_t place; /* units from the beginning, as they are drawn */
	bool failed;
};

static void collect(void *context, const struct unit_run *run)
{
	struct picture *p = context;
	size_t most = p->most_runs ? 2 * p->most_runs : 4096;
	struct unit_run *more;

	if (p->nr_runs == p->most_runs) {
		more = realloc(p->runs, most * sizeof(*more));
		if (!more) {
			p->failed = true;
			return;
		}
		p->runs = more;
		p->most_runs = most;
	}
	p->runs[p->nr_runs++] = *run;
}

static void put_color(FILE *out, const struct unit_run *run)
{
	unsigned hue, light;

	switch (run->kind) {
	case UNIT_FREE_CLEAN:
		fputs("#f6f6f6", out);
		return;
	case UNIT_FREE_DIRTY:
		fputs("url(#d)", out);
		return;
	case UNIT_LARGE:
		fputs("#777", out);
		return;
	case UNIT_SLAB:
		break;
	}
	/* Neighbouring classes are far apart on the circle. */
	hue = run->size_class * 137 % 360;
	light = 90 -
		45 * run->nr_used / (run->nr_objects ? run->nr_objects : 1);
	fprintf(out, "hsl(%u,75%%,%u%%)", hue, light);
}

static void put_title(struct picture *p, const struct unit_run *run)
{
	static const char *const kinds[] = { "free, not resident",
					     "free, resident", "", "a run" };
	char size[SIZE_TEXT], blocks[COUNT_TEXT];

	if (p->nr_runs > TITLES_MOST) {
		fputs("/>\n", p->out);
		return;
	}
	fprintf(p->out, "><title>%#lx: ", run->address);
	if (run->kind == UNIT_SLAB)
		fprintf(p->out, "%u of %s of %u bytes", run->nr_used,
			text_count(blocks, run->nr_objects, "block"),
			p->heap->classes[run->size_class].size);
	else
		fprintf(p->out, "%s, %s", kinds[run->kind],
			text_size(size, run->nr_units * p->unit_size));
	fputs("</title></rect>\n", p->out);
}

/* A run, cut at the ends of rows. */
static void put_run(struct picture *p, const struct unit_run *run)
{
	uint64_t left = run->nr_units, n, x;

	while (left) {
		x = p->place % ROW_UNITS;
		n = left < ROW_UNITS - x ? left : ROW_UNITS - x;
		fprintf(p->out,
			"<rect x=\"%lu\" y=\"%lu\" width=\"%lu\" "
			"height=\"%u\" fill=\"",
			LEFT + x * CELL_WIDTH,
			TOP + p->place / ROW_UNITS * CELL_HEIGHT,
			n * CELL_WIDTH - (run->kind == UNIT_FREE_CLEAN ? 0 : 1),
			CELL_HEIGHT - 1);
		put_color(p->out, run);
		fputc('"', p->out);
		put_title(p, run);
		p->place += n;
		left -= n;
	}
}

static void put_address(struct picture *p, uint64_t address)
{
	fprintf(p->out, "<text x=\"4\" y=\"%lu\">%#lx</text>\n",
		TOP + p->place / ROW_UNITS * CELL_HEIGHT + CELL_HEIGHT - 1,
		address);
}

/* Whether the run begins behind a gap: another region. */
static bool is_apart(const struct picture *p, size_t i)
{
	const struct unit_run *last = &p->runs[i - 1];

	return p->runs[i].address !=
	       last->address + last->nr_units * p->unit_size;
}

static void put_runs(struct picture *p)
{
	uint64_t labelled = UINT64_MAX;

	for (size_t i = 0; i < p->nr_runs; i++) {
		if (i && is_apart(p, i)) {
			p->place = (p->place + 2 * ROW_UNITS - 1) / ROW_UNITS *
				   ROW_UNITS;
			labelled = UINT64_MAX;
		}
		if (labelled == UINT64_MAX ||
		    p->place >= labelled + 8 * ROW_UNITS) {
			put_address(p, p->runs[i].address);
			labelled = p->place / ROW_UNITS * ROW_UNITS;
		}
		put_run(p, &p->runs[i]);
	}
}

static void put_legend_line(struct picture *p, unsigned *line,
			    const struct unit_run *run, const char *text)
{
	unsigned x = LEFT + ROW_UNITS * CELL_WIDTH + 20;
	unsigned y = TOP + *line * LEGEND_LINE;

	fprintf(p->out,
		"<rect x=\"%u\" y=\"%u\" width=\"12\" height=\"12\" "
		"stroke=\"#aaa\" fill=\"",
		x, y);
	put_color(p->out, run);
	fprintf(p->out, "\"/><text x=\"%u\" y=\"%u\">%s</text>\n", x + 18,
		y + 10, text);
	(*line)++;
}

static void put_legend(struct picture *p)
{
	struct unit_run run = { .kind = UNIT_FREE_CLEAN };
	char text[80], size[SIZE_TEXT], slabs[COUNT_TEXT];
	unsigned line = 0;

	put_legend_line(p, &line, &run, "free, not resident");
	run.kind = UNIT_FREE_DIRTY;
	put_legend_line(p, &line, &run, "free, resident");
	run.kind = UNIT_LARGE;
	put_legend_line(p, &line, &run, "a block of its own");
	run = (struct unit_run){ .kind = UNIT_SLAB, .nr_objects = 4 };
	for (unsigned i = 1; i < p->heap->nr_classes; i++) {
		const struct heap_class *k = &p->heap->classes[i];

		if (!k->nr_slabs)
			continue;
		run.size_class = i;
		run.nr_used = 4;
		snprintf(text, sizeof(text), "%u B: %s, %s free", k->size,
			 text_count(slabs, k->nr_slabs, "slab"),
			 text_size(size, k->nr_free * k->size));
		put_legend_line(p, &line, &run, text);
	}
	fprintf(p->out,
		"<text x=\"%u\" y=\"%u\">"
		"pale: few of the slab's blocks are in use</text>\n",
		LEFT + ROW_UNITS * CELL_WIDTH + 20,
		TOP + line * LEGEND_LINE + 10);
}

static uint64_t nr_rows(const struct picture *p)
{
	uint64_t units = 0, rows = 0;

	for (size_t i = 0; i < p->nr_runs; i++) {
		if (i && is_apart(p, i)) {
			rows += units / ROW_UNITS + 2;
			units = 0;
		}
		units += p->runs[i].nr_units;
	}
	return rows + units / ROW_UNITS + 1;
}

static void put_head(struct picture *p, const struct image *image,
		     unsigned legend_lines)
{
	uint64_t height = nr_rows(p) * CELL_HEIGHT;
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT];

	if (height < legend_lines * LEGEND_LINE)
		height = legend_lines * LEGEND_LINE;
	fprintf(p->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" "
		"width=\"%u\" height=\"%lu\" font-family=\"sans-serif\" "
		"font-size=\"11\">\n<defs><pattern id=\"d\" width=\"4\" "
		"height=\"4\" patternUnits=\"userSpaceOnUse\">"
		"<rect width=\"4\" height=\"4\" fill=\"#fff\"/>"
		"<path d=\"M0,4 L4,0\" stroke=\"#d33\"/></pattern></defs>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text x=\"4\" y=\"20\" font-size=\"15\">the heap of ",
		LEFT + ROW_UNITS * CELL_WIDTH + 20 + LEGEND_WIDTH,
		TOP + height + 20);
	text_put_markup(p->out, image->comm);
	fprintf(p->out,
		" (%d)</text>\n<text x=\"4\" y=\"40\">live %s, free in "
		"slabs %s, free and resident %s; a cell is %lu KiB</text>\n",
		image->pid, text_size(a, p->heap->stats.live_size),
		text_size(b, p->heap->stats.slab_free_size),
		text_size(c, p->heap->stats.free_dirty_size),
		p->unit_size >> 10);
}

struct arguments {
	const char *name, *output;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "the SVG file; stdout if not given", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 'o')
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
	.doc = "A picture of the heap's addresses, as SVG. A cell is a unit of "
	       "32 KiB, its colour the size class, the paler the emptier; with "
	       "a legend. Browsers tell of each cell what is there.",
};

static unsigned legend_lines(const struct heap *heap)
{
	unsigned n = 5;

	for (unsigned i = 1; i < heap->nr_classes; i++)
		n += heap->classes[i].nr_slabs != 0;
	return n;
}

/* The file is opened last: what could not be read leaves it as it was. */
static int draw(const struct arguments *a)
{
	struct heap heap;
	struct picture p = { .heap = &heap };
	struct image image;
	struct root root;

	if (!command_open(&image, &root, a->name))
		return 1;
	p.unit_size = root.view.unit_size;
	if (!heap_read(&image, &root, &heap, collect, &p))
		return command_fails("%s", image.error);
	if (p.failed)
		return command_fails("no memory");
	p.out = command_output(a->output);
	if (!p.out)
		return 1;
	put_head(&p, &image, legend_lines(&heap));
	put_runs(&p);
	put_legend(&p);
	fputs("</svg>\n", p.out);
	free(p.runs);
	heap_free(&heap);
	image_close(&image);
	return command_output_end(p.out, a->output);
}

static int run(int argc, char **argv)
{
	struct arguments a = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return draw(&a);
}

const struct subcommand map_command = { "map", &argp, run };
