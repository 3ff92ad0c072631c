/* layer 7.6: top: lanemalloc top PID
 *
 * The heap of a process, read anew every second and shown in a terminal of at
 * least 80 x 24: where resident memory is, rates, why memory does not go back,
 * and a table by size class or by CPU cache. It ends with the process, or by q.
 */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/reason.h"
#include "command/show.h"
#include "command/text.h"

enum {
	COLOR_HEAD = 1,
	COLOR_LIVE,
	COLOR_CACHED,
	COLOR_FREE,
	COLOR_DIRTY,
	COLOR_REST
};

/* X(letter, what the table is sorted by) */
#define COLUMNS(X)                     \
	X('s', k->size)                \
	X('n', k->nr_live)             \
	X('l', k->nr_live * k->size)   \
	X('c', k->nr_cached * k->size) \
	X('f', k->nr_free * k->size)   \
	X('b', k->nr_slabs)            \
	X('r', 0)

#define RESIDENT_SECONDS 5

struct top {
	struct image image;
	struct root root;
	struct heap now, before;
	bool has_before, by_cpu, colored;
	double seconds; /* between the two */
	double delay;
	long frames;		  /* left; below 0: no end */
	int sort;		  /* a column's letter */
	int row;		  /* where the next line goes */
	struct timespec asked_at; /* the kernel, what is resident */
	struct timespec read_at;
};

static void put(struct top *top, int color, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A line that ends where the screen does. */
static void put(struct top *top, int color, const char *format, ...)
{
	char text[512];
	va_list args;

	if (top->row >= LINES)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (color && top->colored)
		attron(COLOR_PAIR(color));
	if (color == COLOR_HEAD)
		attron(A_REVERSE);
	mvaddnstr(top->row, 0, text, COLS - 1);
	if (color == COLOR_HEAD)
		for (int x = getcurx(stdscr); x < COLS - 1; x++)
			addch(' ');
	attrset(A_NORMAL);
	top->row++;
}

/* Reading */

static double since(const struct timespec *then, const struct timespec *now)
{
	return (double)(now->tv_sec - then->tv_sec) +
	       (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

/* What is resident, from the last time that it was asked for. */
static void resident_keep(struct heap *now, const struct heap *before)
{
	if (now->has_resident)
		return;
	now->has_resident = before->has_resident;
	now->resident_size = before->resident_size;
	now->resident_metadata = before->resident_metadata;
	now->resident_whole = before->resident_whole;
}

/* The kernel holds the process's mmap_lock while it counts, for some 20 ms a
 * GiB: not with each reading. */
static void resident_ask(struct top *top, const struct timespec *now)
{
	top->image.without_smaps = top->asked_at.tv_sec &&
				   since(&top->asked_at, now) <
					   RESIDENT_SECONDS;
	if (!top->image.without_smaps)
		top->asked_at = *now;
}

/* False: it is gone. */
static bool read_again(struct top *top)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	resident_ask(top, &now);

	if (top->has_before)
		heap_free(&top->before);
	top->before = top->now;
	if (!image_read_ranges(&top->image) ||
	    !heap_read(&top->image, &top->root, &top->now, NULL, NULL)) {
		top->now = (struct heap){ 0 };
		return false;
	}
	resident_keep(&top->now, &top->before);
	clock_gettime(CLOCK_MONOTONIC, &now);
	top->has_before = top->read_at.tv_sec != 0;
	top->seconds = since(&top->read_at, &now);
	top->read_at = now;
	return true;
}

static double rate(const struct top *top, uint64_t now, uint64_t before)
{
	if (!top->has_before || top->seconds <= 0)
		return 0;
	return ((double)now - (double)before) / top->seconds;
}

/* The head */

/* "12.3M" */
static const char *brief(char buf[SIZE_TEXT], uint64_t size)
{
	char *blank;

	text_size(buf, size);
	blank = strchr(buf, ' ');
	blank[0] = blank[1];
	blank[1] = '\0';
	return buf;
}

/* A bar of what resident memory is. */
static void put_bar(struct top *top, const uint64_t *sizes, int nr,
		    uint64_t whole)
{
	static const char marks[] = "#=-~.";
	int width = COLS - 2, x = 0;
	uint64_t sum = 0;

	if (!whole || top->row >= LINES)
		return;
	move(top->row++, 0);
	addch('[');
	for (int i = 0; i < nr; i++) {
		int end;

		sum += sizes[i];
		end = (int)((double)sum * (width - 1) / (double)whole);
		if (top->colored)
			attron(COLOR_PAIR(COLOR_LIVE + i));
		for (; x < end && x < width - 1; x++)
			addch((chtype)marks[i]);
		attrset(A_NORMAL);
	}
	for (; x < width - 1; x++)
		addch(' ');
	addch(']');
}

static void put_memory(struct top *top)
{
	const struct heap *h = &top->now;
	uint64_t sizes[5] = { h->stats.live_size, h->stats.cached_size,
			      h->pinned_size, h->stats.free_dirty_size, 0 };
	uint64_t sum = sizes[0] + sizes[1] + sizes[2] + sizes[3];
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT], d[SIZE_TEXT];
	char e[SIZE_TEXT];

	if (h->resident_size > sum)
		sizes[4] = h->resident_size - sum;
	put(top, 0, "resident: process %s, heap %s, tables %s; live within %s",
	    text_size(a, h->resident_whole), text_size(b, h->resident_size),
	    text_size(c, h->resident_metadata), text_size(d, h->error));
	put_bar(top, sizes, 5, sum + sizes[4]);
	put(top, 0,
	    "# live %s  = cached %s  - in slabs %s  ~ free %s"
	    "  . rest %s",
	    brief(e, sizes[0]), brief(a, sizes[1]), brief(b, sizes[2]),
	    brief(c, sizes[3]), brief(d, sizes[4]));
}

static void put_rates(struct top *top)
{
	const struct lanemalloc_stats *n = &top->now.stats;
	const struct lanemalloc_stats *b = &top->before.stats;
	double grows = rate(top, n->live_size, b->live_size);
	char size[SIZE_TEXT], purged[SIZE_TEXT];

	put(top, 0,
	    "per second: live %c%s, refills %.0f, flushes %.0f, "
	    "steals %.0f, purged %s",
	    grows < 0 ? '-' : '+',
	    text_size(size, (uint64_t)(grows < 0 ? -grows : grows)),
	    rate(top, n->nr_refills, b->nr_refills),
	    rate(top, n->nr_flushes, b->nr_flushes),
	    rate(top, n->nr_steals, b->nr_steals),
	    text_size(purged,
		      (uint64_t)rate(top, n->purged_size, b->purged_size)));
}

/* The bytes of a text that stand in `width` columns, in whole words. */
static int words_fit(const char *text, int width)
{
	int n = (int)strlen(text);

	if (n <= width)
		return n;
	for (n = width; n > 0 && text[n] != ' '; n--)
		;
	return n > 0 ? n : width;
}

static void put_reasons(struct top *top)
{
	struct reason reasons[REASONS_MOST];
	unsigned nr = reasons_of(&top->now, reasons), said = 0;
	char size[SIZE_TEXT];

	/* What the program holds stands above. */
	for (unsigned i = 0; i < nr && said < 3; i++) {
		if (strstr(reasons[i].text, "program holds"))
			continue;
		put(top, 0, "%10s %.*s", text_size(size, reasons[i].size),
		    words_fit(reasons[i].text, COLS - 1 - 11), reasons[i].text);
		said++;
	}
	while (said++ < 3)
		top->row++;
}

/* The tables */

static double class_rate(const struct top *top, unsigned i)
{
	const struct heap_class *k = &top->now.classes[i];

	return rate(top, k->nr_live * k->size,
		    top->before.classes[i].nr_live * k->size);
}

static double sort_value(const struct top *top, unsigned i)
{
	const struct heap_class *k = &top->now.classes[i];

	if (top->sort == 'r')
		return class_rate(top, i);
#define COLUMN_VALUE(letter, value) \
	if (top->sort == letter)    \
		return (double)(value);
	COLUMNS(COLUMN_VALUE)
#undef COLUMN_VALUE
	return 0;
}

static const struct top *sorted; /* qsort() has no argument for it */

static int compare(const void *a, const void *b)
{
	double x = sort_value(sorted, *(const unsigned *)a);
	double y = sort_value(sorted, *(const unsigned *)b);

	return sorted->sort == 's' ? (x > y) - (x < y) : (x < y) - (x > y);
}

static void put_class(struct top *top, unsigned i)
{
	const struct heap_class *k = &top->now.classes[i];
	double grows = class_rate(top, i);
	char live[SIZE_TEXT], cached[SIZE_TEXT], unused[SIZE_TEXT];
	char rates[SIZE_TEXT + 1], full[FULLNESS + 1];

	rates[0] = grows < 0 ? '-' : grows > 0 ? '+' : ' ';
	text_size(rates + 1, (uint64_t)(grows < 0 ? -grows : grows));
	show_fullness(full, k);
	put(top, 0, "%7u%11lu%11s%10s%10s%8lu%11s %s", k->size, k->nr_live,
	    text_size(live, k->nr_live * k->size),
	    text_size(cached, k->nr_cached * k->size),
	    text_size(unused, k->nr_free * k->size), k->nr_slabs, rates, full);
}

static void put_classes(struct top *top)
{
	unsigned order[CLASSES_MOST], nr = 0;

	for (unsigned i = 1; i < top->now.nr_classes; i++)
		if (top->now.classes[i].nr_slabs)
			order[nr++] = i;
	sorted = top;
	qsort(order, nr, sizeof(order[0]), compare);
	put(top, COLOR_HEAD, "%7s%11s%11s%10s%10s%8s%11s %s", "(s)ize",
	    "(n)umber", "(l)ive", "(c)ached", "(f)ree", "sla(b)s", "g(r)ows/s",
	    "0%full100%");
	for (unsigned i = 0; i < nr && top->row < LINES - 1; i++)
		put_class(top, order[i]);
}

static void put_cpus(struct top *top)
{
	char cached[SIZE_TEXT];

	put(top, COLOR_HEAD, "%8s%12s%10s%12s%12s%12s", "cache", "cached",
	    "slabs", "refills/s", "flushes/s", "direct/s");
	for (unsigned i = 0; i < top->now.nr_cpus && top->row < LINES - 1;
	     i++) {
		const struct heap_cpu *c = &top->now.cpus[i];
		const struct heap_cpu *b = i < top->before.nr_cpus ?
						   &top->before.cpus[i] :
						   c;

		put(top, 0, "%8u%12s%10lu%12.0f%12.0f%12.0f", c->id,
		    text_size(cached, c->cached_size), c->nr_slabs,
		    rate(top, c->nr_refills, b->nr_refills),
		    rate(top, c->nr_flushes, b->nr_flushes),
		    rate(top, c->nr_direct, b->nr_direct));
	}
}

static void show(struct top *top)
{
	erase();
	top->row = 0;
	put(top, COLOR_HEAD, "%s (%d)  lanemalloc %s  %s  every %.1f s  %s",
	    top->image.comm, top->image.pid, top->root.version, top->now.mode,
	    top->delay, top->now.profile_on ? "profile on" : "");
	put_memory(top);
	put_rates(top);
	put_reasons(top);
	if (top->by_cpu)
		put_cpus(top);
	else
		put_classes(top);
	top->row = LINES - 1;
	put(top, 0,
	    "q quit  p caches  sort by s n l c f b r  + - faster, "
	    "slower");
	refresh();
}

/* Keys; false: the end. */
static bool key(struct top *top, int c)
{
	if (c == 'q' || c == 3)
		return false;
	if (c == 'p' || c == '\t')
		top->by_cpu = !top->by_cpu;
	else if (c == '+')
		top->delay = top->delay > 0.2 ? top->delay / 2 : 0.1;
	else if (c == '-')
		top->delay = top->delay < 30 ? top->delay * 2 : 60;
#define COLUMN_KEY(letter, value) \
	if (c == letter)          \
		top->sort = c;
	COLUMNS(COLUMN_KEY)
#undef COLUMN_KEY
	return true;
}

/* Keys until it is time to read again. False: the end. */
static bool wait(struct top *top)
{
	struct timespec start, now;
	double left = top->delay;
	int c;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (left > 0) {
		timeout((int)(left * 1000) + 1);
		c = getch();
		if (c != ERR) {
			if (!key(top, c))
				return false;
			show(top);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = top->delay - since(&start, &now);
	}
	return true;
}

static void colors_start(struct top *top)
{
	static const short colors[] = { COLOR_WHITE,  COLOR_GREEN, COLOR_CYAN,
					COLOR_YELLOW, COLOR_RED,   COLOR_BLUE };

	top->colored = top->colored && has_colors();
	if (!top->colored)
		return;
	start_color();
	use_default_colors();
	for (short i = 0; i < 6; i++)
		init_pair((short)(i + 1), colors[i], -1);
}

static bool screen_start(struct top *top)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return false;
	set_term(screen);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	colors_start(top);
	return true;
}

static const struct argp_option options[] = {
	{ "delay", 'd', "SECONDS", 0, "between two readings; 1", 0 },
	{ "iterations", 'n', "N", 0, "end after so many", 0 },
	{ "sort", 's', "COLUMN", 0,
	  "at first by size, n (blocks), live, "
	  "cached, free, b (slabs) or r (growth): the first letter",
	  0 },
	{ "cpus", 'p', NULL, 0, "begin with the table of CPU caches", 0 },
	{ "no-color", 'C', NULL, 0,
	  "as if the terminal had none (also by "
	  "NO_COLOR)",
	  0 },
	{ 0 },
};

struct arguments {
	struct top *top;
	const char *name;
};

#define LETTER(letter, value) letter,
static const char letters[] = { COLUMNS(LETTER) '\0' };
#undef LETTER

static int column_of(const char *text)
{
	if (!*text || !strchr(letters, *text))
		command_misused("top: '%s' is no column", text);
	return *text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 'd')
		a->top->delay = fmax(command_seconds(state, arg), 0.05);
	else if (key == 'n')
		a->top->frames = (long)command_number(state, arg);
	else if (key == 's')
		a->top->sort = column_of(arg);
	else if (key == 'p')
		a->top->by_cpu = true;
	else if (key == 'C')
		a->top->colored = false;
	else
		return command_name(key, arg, state, "process", &a->name);
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "The heap of a process, live, in a terminal. Where resident "
	       "memory is, rates, why memory does not go back, and a table by "
	       "size class, sorted by the letter in a column's head, or by "
	       "CPU cache. The process is neither stopped nor changed.",
};

static void turn(struct top *top)
{
	while (read_again(top)) {
		show(top);
		if (top->frames > 0 && --top->frames == 0)
			break;
		if (!wait(top))
			break;
	}
}

static int run(int argc, char **argv)
{
	static struct top top = { .delay = 1, .frames = -1, .sort = 'l' };
	struct arguments a = { .top = &top };
	bool gone;

	setlocale(LC_CTYPE, "");
	top.colored = !getenv("NO_COLOR");
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!command_open(&top.image, &top.root, a.name))
		return 1;
	if (!top.image.pid)
		return command_fails("a core does not move: use stats");
	if (!isatty(STDOUT_FILENO))
		return command_fails("top draws on a terminal: stats writes "
				     "to pipes and files");
	if (!screen_start(&top))
		return command_fails("no terminal of that name (TERM)");
	turn(&top);
	gone = !top.now.nr_classes;
	endwin();
	if (gone)
		printf("process %d (%s) has ended\n", top.image.pid,
		       top.image.comm);
	return 0;
}

const struct subcommand top_command = { "top", &argp, run };
