/* layer 5.12: prometheus: the statistics in the text format 0.0.4; contract in
 * forms.h
 *
 * All lines of one metric stand together, as the format wants: the sums by the
 * table of their names, then each number of the classes, then of the CPUs.
 * Names follow from those of the fields: live_size is live_bytes, nr_slabs is
 * slabs, and what only rises ends in _total.
 */
#include "base/text.h"
#include "base/version.h"
#include "front/detail.h"
#include "front/forms.h"
#include "front/stats.h"

/* Whether a number of the sums or of the CPUs is a counter; classes have
 * none. */
static bool is_counter(const char *name)
{
#define IS_GAUGE(gauge, unit, help)
#define IS_COUNTER(counter, unit, help) \
	if (text_is(name, #counter))    \
		return true;
	LANEMALLOC_STATS_KINDS(IS_GAUGE, IS_COUNTER)
	LANEMALLOC_CPU_STATS_KINDS(IS_GAUGE, IS_COUNTER)
#undef IS_COUNTER
#undef IS_GAUGE
	return false;
}

static void add_name(struct form *t, const char *prefix, const char *name)
{
	size_t n = __builtin_strlen(name);
	bool is_size = text_ends(name, "_size");

	is_size |= text_is(name, "size");
	if (name[0] == 'n' && name[1] == 'r' && name[2] == '_')
		name += 3;
	if (text_is(name, "size"))
		form_add(t, "lanemalloc_%sobject_bytes", prefix);
	else if (is_size)
		form_add(t, "lanemalloc_%s%.*s_bytes", prefix, (int)n - 5,
			 name);
	else
		form_add(t, "lanemalloc_%s%s", prefix, name);
}

static const char *kind_end(const char *name)
{
	return is_counter(name) ? "_total" : "";
}

static void add_head(struct form *t, const char *prefix, const char *name,
		     const char *help)
{
	form_add(t, "# HELP ");
	add_name(t, prefix, name);
	form_add(t, "%s %s\n# TYPE ", kind_end(name), help);
	add_name(t, prefix, name);
	form_add(t, "%s %s\n", kind_end(name),
		 is_counter(name) ? "counter" : "gauge");
}

/* Its labels, if any, stand between the two. */
static void add_value_name(struct form *t, const char *prefix, const char *name)
{
	add_name(t, prefix, name);
	form_add(t, "%s", kind_end(name));
}

static void add_value(struct form *t, uint64_t value)
{
	form_add(t, " %lu\n", (unsigned long)value);
}

/* Two classes may have one size for a while. */
static void add_class_labels(struct form *t, unsigned i,
			     const struct lanemalloc_class_stats *s)
{
	form_add(t, "{class=\"%u\",size=\"%lu\"", i + 1,
		 (unsigned long)s->size);
}

static void add_sums(struct form *t)
{
	struct lanemalloc_stats s;
	const char *why, *mode = stats_mode(&why);

	stats_gather(&s);
	form_add(t,
		 "# HELP lanemalloc_info version, mode and its reason\n"
		 "# TYPE lanemalloc_info gauge\n"
		 "lanemalloc_info{version=\"" VERSION "\",mode=\"%s\",why=\"",
		 mode);
	form_add_escaped(t, why);
	form_add(t, "\"} 1\n");
#define ADD_SUM(name, unit, help)     \
	add_head(t, "", #name, help); \
	add_value_name(t, "", #name); \
	add_value(t, s.name);
	LANEMALLOC_STATS(ADD_SUM)
#undef ADD_SUM
}

/* Adds one number of all classes; structs are their tables' fields in order. */
static void add_class_field(struct form *t, const struct detail *detail,
			    const char *name, const char *help, size_t field)
{
	struct lanemalloc_class_stats s;
	unsigned i;

	add_head(t, "class_", name, help);
	for (i = 0; i < NR_DETAIL_CLASSES; i++) {
		detail_class(detail, i, &s);
		if (!s.nr_slabs)
			continue;
		add_value_name(t, "class_", name);
		add_class_labels(t, i, &s);
		form_add(t, "}");
		add_value(t, ((uint64_t *)&s)[field]);
	}
}

static void add_shares(struct form *t, const struct detail *detail)
{
	static const char *const shares[LANEMALLOC_SHARES] = {
		"none", "1/8", "2/8", "3/8", "4/8",
		"5/8",	"6/8", "7/8", "8/8", "all"
	};
	struct lanemalloc_class_stats s;
	unsigned i, j;

	form_add(t,
		 "# HELP lanemalloc_class_share_slabs slabs by objects in use\n"
		 "# TYPE lanemalloc_class_share_slabs gauge\n");
	for (i = 0; i < NR_DETAIL_CLASSES; i++) {
		detail_class(detail, i, &s);
		for (j = 0; s.nr_slabs && j < LANEMALLOC_SHARES; j++) {
			form_add(t, "lanemalloc_class_share_slabs");
			add_class_labels(t, i, &s);
			form_add(t, ",share=\"%s\"}", shares[j]);
			add_value(t, s.nr_slabs_by_share[j]);
		}
	}
}

static void add_classes(struct form *t)
{
	struct detail detail;
	size_t field = 0;

	if (!detail_open(&detail))
		return;
#define ADD_FIELD(name, unit, help) \
	add_class_field(t, &detail, #name, help, field++);
	LANEMALLOC_CLASS_STATS(ADD_FIELD)
#undef ADD_FIELD
	add_shares(t, &detail);
	detail_close(&detail);
}

static void add_cpu_field(struct form *t, const char *name, const char *help,
			  size_t field)
{
	struct lanemalloc_cpu_stats s;
	unsigned id = 0;

	add_head(t, "cpu_", name, help);
	while (detail_cpu(&id, &s)) {
		add_value_name(t, "cpu_", name);
		form_add(t, "{cpu=\"%lu\"}", (unsigned long)s.number);
		add_value(t, ((uint64_t *)&s)[field]);
	}
}

static void add_cpus(struct form *t)
{
	size_t field = 0;

#define ADD_FIELD(name, unit, help) add_cpu_field(t, #name, help, field++);
	LANEMALLOC_CPU_STATS(ADD_FIELD)
#undef ADD_FIELD
}

size_t forms_prometheus(char *buf, size_t size)
{
	struct form t = { buf, size, 0 };

	add_sums(&t);
	add_classes(&t);
	add_cpus(&t);
	return t.length;
}
