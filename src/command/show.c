/* layer 7.4: show: a heap as text, as JSON and as Prometheus reads it */
#include "command/show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/reason.h"
#include "command/text.h"

#define STATS_NR (sizeof(struct lanemalloc_stats) / sizeof(uint64_t))

static const struct {
	const char *name, *unit, *help, *type;
} stats_rows[] = {
#define STATS_GAUGE(name, unit, help) { #name, unit, help, "gauge" },
#define STATS_COUNTER(name, unit, help) { #name, unit, help, "counter" },
	LANEMALLOC_STATS_KINDS(STATS_GAUGE, STATS_COUNTER)
#undef STATS_COUNTER
#undef STATS_GAUGE
};
_Static_assert(sizeof(stats_rows) / sizeof(stats_rows[0]) == STATS_NR,
	       "a row for each");

static bool is_in_bytes(size_t i)
{
	return !strcmp(stats_rows[i].unit, "bytes");
}

static uint64_t stats_value(const struct heap *heap, size_t i)
{
	return ((const uint64_t *)&heap->stats)[i];
}

void show_fullness(char text[FULLNESS + 1], const struct heap_class *k)
{
	uint64_t most = 1;

	for (int i = 0; i < FULLNESS; i++)
		most = k->fullness[i] > most ? k->fullness[i] : most;
	for (int i = 0; i < FULLNESS; i++) {
		uint64_t n = k->fullness[i];
		int digit = n ? 9 : 0;

		for (; n && n < most && digit > 1; digit--)
			n *= 2;
		text[i] = (char)(digit ? '0' + digit : '.');
	}
	text[FULLNESS] = '\0';
}

/* As text */

static void put_head(FILE *out, const struct image *image,
		     const struct root *root, const struct heap *heap)
{
	char a[SIZE_TEXT], b[SIZE_TEXT], words[COUNT_TEXT];

	if (image->pid)
		fprintf(out, "process %d (%s)", image->pid, image->comm);
	else
		fprintf(out, "core of %s", image->comm);
	/* The reason begins with the mode. */
	fprintf(out, ", lanemalloc %s\nmode %s\n", root->version,
		heap->why[0] ? heap->why : heap->mode);
	fprintf(out, "live %s, within %s", text_size(a, heap->stats.live_size),
		text_size(b, heap->error));
	fprintf(out, " (read in %.1f ms while it %s)\n",
		(double)heap->walk_us / 1000,
		heap->error ? "ran" : "stood still");
	if (heap->nr_odd)
		fprintf(out, "left out, as they made no sense: %s\n",
			text_count(words, heap->nr_odd, "word"));
}

static void put_resident(FILE *out, const struct heap *heap)
{
	char size[SIZE_TEXT];

	if (!heap->has_resident)
		return;
	fprintf(out, "%-18s%14s  says the kernel, of the heap's blocks\n",
		"resident", text_size(size, heap->resident_size));
	fprintf(out, "%-18s%14s  likewise, of tags, spans and bits\n", "",
		text_size(size, heap->resident_metadata));
	fprintf(out, "%-18s%14s  likewise, of the whole process\n", "",
		text_size(size, heap->resident_whole));
}

static void put_stats(FILE *out, const struct heap *heap)
{
	char size[SIZE_TEXT];

	for (size_t i = 0; i < STATS_NR; i++) {
		if (!heap->has_stats[i])
			continue;
		fprintf(out, "%-18s", stats_rows[i].name);
		if (is_in_bytes(i))
			fprintf(out, "%14s",
				text_size(size, stats_value(heap, i)));
		else
			fprintf(out, "%14lu", stats_value(heap, i));
		fprintf(out, "  %s\n", stats_rows[i].help);
	}
}

static int compare_sizes(const void *a, const void *b)
{
	const struct heap_class *const *x = a, *const *y = b;

	return ((*x)->size > (*y)->size) - ((*x)->size < (*y)->size);
}

static void put_class(FILE *out, const struct heap_class *k)
{
	char live[SIZE_TEXT], cached[SIZE_TEXT], unused[SIZE_TEXT];
	char fullness[FULLNESS + 1];

	show_fullness(fullness, k);
	fprintf(out, "%8u %10lu %10s %10s %10s %9lu  %s\n", k->size, k->nr_live,
		text_size(live, k->nr_live * k->size),
		text_size(cached, k->nr_cached * k->size),
		text_size(unused, k->nr_free * k->size), k->nr_slabs, fullness);
}

/* Fitted classes stand behind the others, whatever their size. */
static void put_classes(FILE *out, const struct heap *heap)
{
	const struct heap_class *rows[CLASSES_MOST];
	size_t nr = 0;

	fprintf(out, "\n%8s %10s %10s %10s %10s %9s  %s\n", "size", "blocks",
		"live", "cached", "free", "slabs", "0% full 100%");
	for (unsigned i = 1; i < heap->nr_classes; i++)
		if (heap->classes[i].nr_slabs)
			rows[nr++] = &heap->classes[i];
	qsort(rows, nr, sizeof(rows[0]), compare_sizes);
	for (size_t i = 0; i < nr; i++)
		put_class(out, rows[i]);
}

static void put_cpus(FILE *out, const struct heap *heap)
{
	char cached[SIZE_TEXT];

	fprintf(out, "\n%8s %10s %9s %12s %12s %12s\n", "cache", "cached",
		"slabs", "refills", "flushes", "direct");
	for (unsigned i = 0; i < heap->nr_cpus; i++) {
		const struct heap_cpu *cpu = &heap->cpus[i];

		fprintf(out, "%8u %10s %9lu %12lu %12lu %12lu\n", cpu->id,
			text_size(cached, cpu->cached_size), cpu->nr_slabs,
			cpu->nr_refills, cpu->nr_flushes, cpu->nr_direct);
	}
}

static void put_runs(FILE *out, const struct root *root,
		     const struct heap *heap)
{
	char size[SIZE_TEXT];

	fprintf(out, "\nfree runs: %lu, the longest of %s\n",
		heap->nr_free_runs,
		text_size(size, heap->longest_run * root->view.unit_size));
	for (int i = 0; i < RUN_SIZES; i++)
		if (heap->free_runs[i])
			fprintf(out, "%14lu from %s\n", heap->free_runs[i],
				text_size(size, root->view.unit_size << i));
}

static void put_reasons(FILE *out, const struct heap *heap)
{
	struct reason reasons[REASONS_MOST];
	unsigned nr = reasons_of(heap, reasons);
	char size[SIZE_TEXT];

	fprintf(out, "\nwhere the memory is, and why it does not go back:\n");
	for (unsigned i = 0; i < nr; i++)
		fprintf(out, "%12s  %s\n", text_size(size, reasons[i].size),
			reasons[i].text);
}

void show_text(FILE *out, const struct image *image, const struct root *root,
	       const struct heap *heap)
{
	put_head(out, image, root, heap);
	put_resident(out, heap);
	put_stats(out, heap);
	put_reasons(out, heap);
	put_classes(out, heap);
	put_cpus(out, heap);
	put_runs(out, root, heap);
}

/* As JSON */

static void put_string(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\"%s\": \"", name);
	text_put_escaped(out, value);
	fprintf(out, "\"");
}

static void json_class(FILE *out, const struct heap_class *k)
{
	fprintf(out,
		"{\"size\": %u, \"nr_objects\": %u, \"nr_units\": %u, "
		"\"nr_slabs\": %lu, \"nr_live\": %lu, \"nr_cached\": %lu, "
		"\"nr_free\": %lu, \"pinned_size\": %lu, \"fullness\": [",
		k->size, k->nr_objects, k->nr_units, k->nr_slabs, k->nr_live,
		k->nr_cached, k->nr_free, k->pinned_size);
	for (int i = 0; i < FULLNESS; i++)
		fprintf(out, "%s%lu", i ? ", " : "", k->fullness[i]);
	fprintf(out, "]}");
}

static void json_classes(FILE *out, const struct heap *heap)
{
	const char *comma = "";

	fprintf(out, ",\n \"classes\": [");
	for (unsigned i = 1; i < heap->nr_classes; i++) {
		if (!heap->classes[i].nr_slabs)
			continue;
		fprintf(out, "%s\n  ", comma);
		json_class(out, &heap->classes[i]);
		comma = ",";
	}
	fprintf(out, "]");
}

static void json_cpus(FILE *out, const struct heap *heap)
{
	fprintf(out, ",\n \"cpus\": [");
	for (unsigned i = 0; i < heap->nr_cpus; i++) {
		const struct heap_cpu *cpu = &heap->cpus[i];

		fprintf(out,
			"%s\n  {\"id\": %u, \"cached_size\": %lu, "
			"\"nr_slabs\": %lu, \"nr_refills\": %lu, "
			"\"nr_flushes\": %lu, \"nr_aborts\": %lu, "
			"\"nr_direct\": %lu}",
			i ? "," : "", cpu->id, cpu->cached_size, cpu->nr_slabs,
			cpu->nr_refills, cpu->nr_flushes, cpu->nr_aborts,
			cpu->nr_direct);
	}
	fprintf(out, "]");
}

static void json_reasons(FILE *out, const struct heap *heap)
{
	struct reason reasons[REASONS_MOST];
	unsigned nr = reasons_of(heap, reasons);

	fprintf(out, ",\n \"reasons\": [");
	for (unsigned i = 0; i < nr; i++) {
		fprintf(out, "%s\n  {\"size\": %lu, ", i ? "," : "",
			reasons[i].size);
		put_string(out, "text", reasons[i].text);
		fprintf(out, "}");
	}
	fprintf(out, "]");
}

static void json_runs(FILE *out, const struct root *root,
		      const struct heap *heap)
{
	fprintf(out,
		",\n \"unit_size\": %lu, \"nr_free_runs\": %lu, "
		"\"longest_run\": %lu, \"free_runs\": [",
		root->view.unit_size, heap->nr_free_runs, heap->longest_run);
	for (int i = 0; i < RUN_SIZES; i++)
		fprintf(out, "%s%lu", i ? ", " : "", heap->free_runs[i]);
	fprintf(out, "]");
}

void show_json(FILE *out, const struct image *image, const struct root *root,
	       const struct heap *heap)
{
	fprintf(out, "{\"pid\": %d, ", image->pid);
	put_string(out, "comm", image->comm);
	fprintf(out, ", ");
	put_string(out, "version", root->version);
	fprintf(out, ", ");
	put_string(out, "mode", heap->mode);
	fprintf(out, ", ");
	put_string(out, "why", heap->why);
	fprintf(out,
		",\n \"error_size\": %lu, \"nr_odd\": %lu, "
		"\"walk_us\": %lu, \"profile_on\": %s",
		heap->error, heap->nr_odd, heap->walk_us,
		heap->profile_on ? "true" : "false");
	for (size_t i = 0; i < STATS_NR; i++)
		if (heap->has_stats[i])
			fprintf(out, ",\n \"%s\": %lu", stats_rows[i].name,
				stats_value(heap, i));
	fprintf(out, ",\n \"claimed_size\": %lu, \"pinned_size\": %lu",
		heap->claimed_size, heap->pinned_size);
	if (heap->has_resident)
		fprintf(out,
			",\n \"resident_size\": %lu, "
			"\"resident_metadata_size\": %lu, "
			"\"resident_process_size\": %lu",
			heap->resident_size, heap->resident_metadata,
			heap->resident_whole);
	json_classes(out, heap);
	json_cpus(out, heap);
	json_runs(out, root, heap);
	json_reasons(out, heap);
	fprintf(out, "}\n");
}

/* As Prometheus has it */

static void put_labels(FILE *out, const struct shown *s)
{
	fprintf(out, "{pid=\"%d\",comm=\"", s->image->pid);
	text_put_escaped(out, s->image->comm);
	fprintf(out, "\"");
}

static void prometheus_head(FILE *out, const char *name, const char *unit,
			    const char *type, const char *help)
{
	fprintf(out, "# HELP lanemalloc_%s%s %s\n", name, unit, help);
	fprintf(out, "# TYPE lanemalloc_%s%s %s\n", name, unit, type);
}

static void prometheus_stats(FILE *out, const struct shown *shown, size_t nr,
			     size_t i)
{
	const char *type = stats_rows[i].type, *unit;
	char name[64];

	/* As lanemalloc_stats_prometheus() names them. */
	snprintf(name, sizeof(name), "%s",
		 stats_rows[i].name +
			 (strncmp(stats_rows[i].name, "nr_", 3) ? 0 : 3));
	unit = is_in_bytes(i) ? "_bytes" : "";
	if (is_in_bytes(i) && strstr(name, "_size"))
		*strstr(name, "_size") = '\0';
	if (!strcmp(type, "counter"))
		unit = unit[0] ? "_bytes_total" : "_total";
	prometheus_head(out, name, unit, type, stats_rows[i].help);
	for (size_t k = 0; k < nr; k++) {
		fprintf(out, "lanemalloc_%s%s", name, unit);
		put_labels(out, &shown[k]);
		fprintf(out, "} %lu\n", stats_value(shown[k].heap, i));
	}
}

static void prometheus_gauge(FILE *out, const struct shown *shown, size_t nr,
			     const char *name, const char *help, size_t at)
{
	prometheus_head(out, name, "_bytes", "gauge", help);
	for (size_t k = 0; k < nr; k++) {
		fprintf(out, "lanemalloc_%s_bytes", name);
		put_labels(out, &shown[k]);
		fprintf(out, "} %" PRIu64 "\n",
			*(const uint64_t *)((const char *)shown[k].heap + at));
	}
}

static void prometheus_classes(FILE *out, const struct shown *shown, size_t nr)
{
	static const struct {
		const char *state;
		size_t at;
	} states[] = {
		{ "live", offsetof(struct heap_class, nr_live) },
		{ "cached", offsetof(struct heap_class, nr_cached) },
		{ "free", offsetof(struct heap_class, nr_free) },
	};

	prometheus_head(out, "class_objects", "", "gauge",
			"objects of a size class by state");
	for (size_t k = 0; k < nr; k++)
		for (unsigned i = 1; i < 3 * shown[k].heap->nr_classes; i++) {
			const struct heap_class *c =
				&shown[k].heap->classes[i / 3];

			if (!c->nr_slabs)
				continue;
			fprintf(out, "lanemalloc_class_objects");
			put_labels(out, &shown[k]);
			fprintf(out, ",size=\"%u\",state=\"%s\"} %" PRIu64 "\n",
				c->size, states[i % 3].state,
				*(const uint64_t *)((const char *)c +
						    states[i % 3].at));
		}
}

void show_prometheus(FILE *out, const struct shown *shown, size_t nr)
{
	for (size_t i = 0; i < STATS_NR && nr; i++)
		if (shown[0].heap->has_stats[i])
			prometheus_stats(out, shown, nr, i);
	prometheus_gauge(out, shown, nr, "error",
			 "by how much live may be wrong",
			 offsetof(struct heap, error));
	prometheus_gauge(out, shown, nr, "pinned",
			 "free in slabs and not given back",
			 offsetof(struct heap, pinned_size));
	prometheus_gauge(out, shown, nr, "resident_heap",
			 "resident of the heap's blocks, says the kernel",
			 offsetof(struct heap, resident_size));
	prometheus_gauge(out, shown, nr, "resident_process",
			 "resident of the process, says the kernel",
			 offsetof(struct heap, resident_whole));
	prometheus_classes(out, shown, nr);
}
