/* layer 5.12: forms: the statistics as texts; contract in forms.h */
#include "front/forms.h"

#include "base/bits.h"
#include "base/text.h"
#include "base/version.h"
#include "front/detail.h"
#include "front/stats.h"
#include "system/report.h"

#define LINE_SIZE 160
#define NAME_WIDTH 18
#define NUMBER_WIDTH 14

void form_add(struct form *t, const char *fmt, ...)
{
	size_t at = min_size(t->length, t->size);
	va_list args;

	va_start(args, fmt);
	t->length += (size_t)report_vformat(t->buf + at, t->size - at, fmt,
					    args);
	va_end(args);
}

void form_add_escaped(struct form *t, const char *string)
{
	for (; *string; string++)
		form_add(t, *string == '"' || *string == '\\' ? "\\%c" : "%c",
			 *string);
}

/* The table that people read */

/* "12.3 MiB", "512 B" */
static void format_size(char *buf, size_t size, uint64_t n)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	unsigned shift = 10;
	unsigned i = 0;

	if (n < 1024) {
		report_format(buf, size, "%u B", (unsigned)n);
		return;
	}
	for (; n >> shift >= 1024 && i < 3; i++)
		shift += 10;
	report_format(buf, size, "%lu.%u %s", (unsigned long)(n >> shift),
		      (unsigned)((n >> (shift - 10)) % 1024 * 10 / 1024),
		      units[i]);
}

static size_t pad(char *line, size_t at, size_t column)
{
	while (at < column)
		line[at++] = ' ';
	return at;
}

/* "name              12.3 MiB  help", the number flush right. */
static void row_format(char line[LINE_SIZE], const char *name, const char *unit,
		       const char *help, uint64_t value)
{
	char number[32];
	size_t at = (size_t)report_format(line, LINE_SIZE, "%s", name);

	if (text_is(unit, "bytes"))
		format_size(number, sizeof(number), value);
	else
		report_format(number, sizeof(number), "%lu",
			      (unsigned long)value);
	at = pad(line, at,
		 NAME_WIDTH + NUMBER_WIDTH -
			 min_size(NUMBER_WIDTH, __builtin_strlen(number)));
	report_format(line + at, LINE_SIZE - at, "%s  %s", number, help);
}

void forms_print(void)
{
	struct lanemalloc_stats s;
	char line[LINE_SIZE];
	const char *why;

	stats_gather(&s);
	stats_mode(&why);
	report_line("statistics; mode %s", why);
#define PRINT_ROW(name, unit, help)                  \
	row_format(line, #name, unit, help, s.name); \
	report_line("%s", line);
	LANEMALLOC_STATS(PRINT_ROW)
#undef PRINT_ROW
}

size_t forms_table(char *buf, size_t size)
{
	struct form t = { buf, size, 0 };
	struct lanemalloc_stats s;
	char line[LINE_SIZE];
	const char *why;

	stats_gather(&s);
	stats_mode(&why);
	form_add(&t, "statistics; mode %s\n", why);
#define TEXT_ROW(name, unit, help)                   \
	row_format(line, #name, unit, help, s.name); \
	form_add(&t, "%s\n", line);
	LANEMALLOC_STATS(TEXT_ROW)
#undef TEXT_ROW
	return t.length;
}

/* JSON */

#define JSON_FIELD(name, unit, help) \
	form_add(t, ", \"%s\": %lu", #name, (unsigned long)s.name);

static void json_sums(struct form *t)
{
	struct lanemalloc_stats s;
	const char *why;
	const char *mode = stats_mode(&why);

	stats_gather(&s);
	form_add(t,
		 "{\"version\": \"" VERSION "\", \"mode\": \"%s\", "
		 "\"why\": \"",
		 mode);
	form_add_escaped(t, why);
	form_add(t, "\"");
	LANEMALLOC_STATS(JSON_FIELD)
}

static void json_class(struct form *t, unsigned number,
		       const struct lanemalloc_class_stats *size_class,
		       const char *before)
{
	const struct lanemalloc_class_stats s = *size_class;
	unsigned j;

	form_add(t, "%s{\"class\": %u", before, number);
	LANEMALLOC_CLASS_STATS(JSON_FIELD)
	form_add(t, ", \"nr_slabs_by_share\": [");
	for (j = 0; j < LANEMALLOC_SHARES; j++)
		form_add(t, j ? ", %lu" : "%lu",
			 (unsigned long)s.nr_slabs_by_share[j]);
	form_add(t, "]}");
}

/* Adds the classes that have slabs. */
static void json_classes(struct form *t)
{
	struct lanemalloc_class_stats s;
	const char *before = "";
	struct detail detail;
	unsigned i;

	form_add(t, ", \"classes\": [");
	if (!detail_open(&detail)) {
		form_add(t, "]");
		return;
	}
	for (i = 0; i < NR_DETAIL_CLASSES; i++) {
		detail_class(&detail, i, &s);
		if (!s.nr_slabs)
			continue;
		json_class(t, i + 1, &s, before);
		before = ", ";
	}
	detail_close(&detail);
	form_add(t, "]");
}

static void json_cpus(struct form *t)
{
	struct lanemalloc_cpu_stats s;
	const char *before = "";
	unsigned id = 0;

	form_add(t, ", \"cpus\": [");
	while (detail_cpu(&id, &s)) {
		form_add(t, "%s{\"cpu\": %lu", before, (unsigned long)s.number);
		LANEMALLOC_CPU_STATS(JSON_FIELD)
		form_add(t, "}");
		before = ", ";
	}
	form_add(t, "]");
}
#undef JSON_FIELD

size_t forms_json(char *buf, size_t size)
{
	struct form t = { buf, size, 0 };

	json_sums(&t);
	form_add(&t, "}");
	return t.length;
}

size_t forms_detail_json(char *buf, size_t size)
{
	struct form t = { buf, size, 0 };

	json_sums(&t);
	json_classes(&t);
	json_cpus(&t);
	form_add(&t, "}");
	return t.length;
}
