/* layer 5.6: stats: the numbers of lanemalloc_stats(), gathered from all layers
 *
 * Counters come from the layers that keep them. Live and free bytes of small
 * blocks are kept nowhere, so that the fast paths keep nothing: they follow
 * from a walk over the tags of all committed units,
 *
 *	live = objects of all slabs - free in slabs - cached by CPUs
 *
 * The walk reads while others write. A tag or a word may be from before or
 * after a change, a tag even half of each: each value is checked against what
 * it may be before it is used, differences that would be negative count as 0,
 * and nothing is written. So the sum is a snapshot, exact when nobody
 * allocates.
 *
 * Wait-free: one pass of bounded length. Nothing here allocates or takes a
 * stream's lock, so all of it runs in signal handlers and after main.
 */
#include "front/stats.h"

#include "base/bits.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "cpucache/rseq.h"
#include "front/alloc.h"
#include "front/foreign.h"
#include "front/start.h"
#include "pageheap/guard.h"
#include "pageheap/page_heap.h"
#include "slab/bin.h"
#include "slab/fitted_class.h"
#include "slab/slab.h"
#include "system/report.h"

#define LINE_SIZE 160
#define NAME_WIDTH 18
#define NUMBER_WIDTH 14

/* What the walk finds. */
struct walk {
	uint64_t nr_slabs;
	uint64_t nr_large;
	uint64_t slab_size;	 /* all objects of all slabs */
	uint64_t slab_free_size; /* of these, free in the slab */
	uint64_t large_size;
};

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct unit_tag read_tag(const struct region *r, uint32_t unit)
{
	const volatile struct unit_tag *tag = &r->tags[unit];

	return (struct unit_tag){
		.start = tag->start,
		.size_class = tag->size_class,
	};
}

static uint32_t walk_slab(struct walk *walk, const struct region *r,
			  uint32_t unit, unsigned size_class)
{
	const struct size_class *c = &size_classes[size_class];
	size_t nr_free = min_size(slab_nr_free(&r->spans[unit]), c->nr_objects);

	walk->nr_slabs++;
	walk->slab_size += (uint64_t)c->nr_objects * c->size;
	walk->slab_free_size += (uint64_t)nr_free * c->size;
	return (uint32_t)max_size(c->nr_units, 1);
}

static uint32_t walk_large(struct walk *walk, const struct region *r,
			   uint32_t unit)
{
	uint32_t n = load_relaxed(&r->spans[unit].nr_units); // hint

	if (!n || n > load_relaxed(&r->nr_units) - unit) // const by now
		return 1;
	walk->nr_large++;
	walk->large_size += n * UNIT_SIZE - guard_size(r, unit + n - 1);
	return n;
}

/* Counts what begins at `unit`; how many units to go on by. */
static uint32_t walk_unit(struct walk *walk, const struct region *r,
			  uint32_t unit)
{
	struct unit_tag tag = read_tag(r, unit);
	uint32_t start = (uint32_t)(uintptr_t)region_addr(r, unit);

	if (tag.size_class == CLASS_LARGE)
		return walk_large(walk, r, unit);
	if (tag.start != start)
		return 1;
	if (tag.size_class == CLASS_NONE || tag.size_class >= NR_CLASSES)
		return 1;
	return walk_slab(walk, r, unit, tag.size_class);
}

static void walk_region(struct walk *walk, const struct region *r)
{
	// [region.nr_committed] with region_raise(): the tags are readable
	uint32_t end = load_acquire(&r->nr_committed), unit = 0;

	end = (uint32_t)min_size(end, load_relaxed(&r->nr_used)); // hint

	while (unit < end)
		unit += walk_unit(walk, r, unit);
}

static struct walk walk_heap(void)
{
	struct walk walk = { 0 };
	unsigned i;

	for (i = 0; i < NR_REGIONS_MOST; i++) {
		if (region_is_ready(&regions[i]))
			walk_region(&walk, &regions[i]);
	}
	return walk;
}

static void gather_blocks(struct lanemalloc_stats *out)
{
	struct walk walk = walk_heap();
	uint64_t held = minus(walk.slab_size, walk.slab_free_size);

	out->cached_size = min_size(out->cached_size, held);
	out->live_large_size = walk.large_size;
	out->live_size = held - out->cached_size + walk.large_size;
	out->slab_free_size = min_size(walk.slab_free_size, walk.slab_size);
	out->nr_slabs = walk.nr_slabs;
	out->nr_large = walk.nr_large;
}

static void gather_page_heap(struct lanemalloc_stats *out)
{
	struct page_heap_stats s = { 0 };

	page_heap_stats(&s);
	out->free_dirty_size = s.free_dirty_size;
	out->free_clean_size = s.free_clean_size;
	out->purged_size = s.purged_size;
	out->metadata_size = s.metadata_size;
	out->reserved_size = s.reserved_size;
	out->committed_size = s.committed_size;
	out->budget_size = s.budget_size;
	out->nr_purges = s.nr_purges;
}

static void gather_cpu_caches(struct lanemalloc_stats *out)
{
	struct cpu_cache_stats s = { 0 };

	cpu_cache_stats(&s);
	out->cached_size = s.cached_size;
	out->nr_cpu_caches = s.nr_cpu_caches;
	out->nr_refills = s.nr_refills;
	out->nr_flushes = s.nr_flushes;
	out->nr_aborts = s.nr_aborts;
	out->nr_direct = s.nr_direct;
	out->nr_drains = drain_count();
}

static void gather_bins(struct lanemalloc_stats *out)
{
	struct bin_stats s = { 0 };

	bin_stats(&s);
	out->nr_remote_frees = s.nr_remote_frees;
	out->nr_remote_slabs = s.nr_remote_slabs;
	out->nr_steals = s.nr_steals;
	out->slab_purged_size = s.purged_size;
	out->metadata_size += s.sets_size;
	out->nr_fitted_classes = fitted_class_count();
}

void stats_gather(struct lanemalloc_stats *out)
{
	*out = (struct lanemalloc_stats){ 0 };
	out->nr_foreign_frees = foreign_nr_frees();
	out->nr_out_of_memory = heap_nr_out_of_memory();
	if (!heap_start())
		return;
	gather_cpu_caches(out);
	gather_bins(out);
	gather_page_heap(out);
	gather_blocks(out);
}

const char *stats_mode(const char **why)
{
	static const char *const names[] = {
		[MODE_DIRECT] = "direct",
		[MODE_MM_CID] = "mm_cid",
		[MODE_CPU_ID] = "cpu_id",
	};

	if (why) {
		// hint: all reasons are constants
		const char *text = load_relaxed(&rseq_state.why);

		*why = text ? text : "";
	}
	return names[load_relaxed(&rseq_state.mode)]; // hint: one word
}

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
static void print_row(const char *name, const char *unit, const char *help,
		      uint64_t value)
{
	char number[32];
	char line[LINE_SIZE];
	size_t at = (size_t)report_format(line, sizeof(line), "%s", name);

	if (unit[0])
		format_size(number, sizeof(number), value);
	else
		report_format(number, sizeof(number), "%lu",
			      (unsigned long)value);
	at = pad(line, at,
		 NAME_WIDTH + minus(NUMBER_WIDTH, __builtin_strlen(number)));
	report_format(line + at, sizeof(line) - at, "%s  %s", number, help);
	report_line("%s", line);
}

void stats_print(void)
{
	struct lanemalloc_stats s;
	const char *why;

	stats_gather(&s);
	stats_mode(&why);
	report_line("statistics; mode %s", why);
#define STATS_ROW(name, unit, help) print_row(#name, unit, help, s.name);
	LANEMALLOC_STATS(STATS_ROW)
#undef STATS_ROW
}

/* A text that grows: what does not fit is counted and not written. */
struct text {
	char *buf;
	size_t size;
	size_t length;
};

static printf_like(2, 3) void text_add(struct text *t, const char *fmt, ...)
{
	size_t at = min_size(t->length, t->size);
	va_list args;

	va_start(args, fmt);
	t->length += (size_t)report_vformat(t->buf + at, t->size - at, fmt,
					    args);
	va_end(args);
}

/* A JSON string's inside; the texts are ours and hold no control characters. */
static void text_add_escaped(struct text *t, const char *string)
{
	for (; *string; string++)
		text_add(t, *string == '"' || *string == '\\' ? "\\%c" : "%c",
			 *string);
}

size_t stats_json(char *buf, size_t size)
{
	struct text t = { buf, size, 0 };
	struct lanemalloc_stats s;
	const char *why;
	const char *mode = stats_mode(&why);

	stats_gather(&s);
	text_add(&t,
		 "{\"version\": \"%u.%u.%u\", \"mode\": \"%s\", \"why\": \"",
		 LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		 LANEMALLOC_VERSION_PATCH, mode);
	text_add_escaped(&t, why);
	text_add(&t, "\"");
#define STATS_JSON(name, unit, help) \
	text_add(&t, ", \"%s\": %lu", #name, (unsigned long)s.name);
	LANEMALLOC_STATS(STATS_JSON)
#undef STATS_JSON
	text_add(&t, "}");
	return t.length;
}
