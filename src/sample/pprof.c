/* layer 4.10: pprof: the profile as profile.proto has it
 *
 * Every sample of a stack is one sum, and all samples of the profile are
 * stacks. Locations have the numbers of sites, each once: those that a mapping
 * has are written with its number. Strings stand in the order of their numbers:
 * first those that are always there, then names and build ids as the mappings
 * come.
 *
 * Only reads; see dump.h.
 */
#include "base/bits.h"
#include "sample/chance.h"
#include "sample/dump.h"
#include "sample/proto.h"
#include "sample/sampler.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "system/files.h"
#include "system/report.h"

/* Profile */
#define FIELD_SAMPLE_TYPE 1
#define FIELD_SAMPLE 2
#define FIELD_MAPPING 3
#define FIELD_LOCATION 4
#define FIELD_STRING 6
#define FIELD_DROP_FRAMES 7
#define FIELD_TIME 9
#define FIELD_PERIOD_TYPE 11
#define FIELD_PERIOD 12
#define FIELD_COMMENT 13
#define FIELD_DEFAULT_TYPE 14
/* Sample, Mapping, Location, ValueType: their first fields are 1 and 2. */
#define FIELD_ID 1
#define FIELD_LOCATION_IDS 1
#define FIELD_VALUES 2
#define FIELD_MAPPING_ID 2
#define FIELD_ADDRESS 3
#define FIELD_BEGIN 2
#define FIELD_END 3
#define FIELD_OFFSET 4
#define FIELD_NAME 5
#define FIELD_BUILD_ID 6

/* clang-format off */
#define STRINGS(X)                                               \
	X(NONE, "") X(COUNT, "count") X(BYTES, "bytes")          \
	X(MILLISECONDS, "milliseconds") X(SPACE, "space")        \
	X(ALLOC_OBJECTS, "alloc_objects")                        \
	X(ALLOC_SPACE, "alloc_space")                            \
	X(INUSE_OBJECTS, "inuse_objects")                        \
	X(INUSE_SPACE, "inuse_space")                            \
	X(PEAK_OBJECTS, "peak_objects") X(PEAK_SPACE, "peak_space") \
	X(FREED_OBJECTS, "freed_objects") X(LIFETIME, "lifetime") \
	X(PINNED_SPACE, "pinned_space")                          \
	X(FREED_10MS, "freed_within_10ms")                       \
	X(FREED_1S, "freed_within_1s")                           \
	X(FREED_1MIN, "freed_within_1min")                       \
	X(GROWN_OBJECTS, "grown_objects")                        \
	X(GROWN_SPACE, "grown_space")                            \
	X(FREED_AWAY, "freed_on_other_cpu")                      \
	X(FREED_BY_OTHER, "freed_by_other_thread")               \
	X(OWN, "(lanemalloc_|sample_|heap_|unwind|alloc_slow|malloc_slow|"  \
	       "new_slow|new_nothrow_slow).*|(__libc_)?(malloc|calloc|"     \
	       "realloc|memalign|aligned_alloc|posix_memalign|valloc|"      \
	       "pvalloc)|operator new(\\[\\])?")

enum string {
#define STRING_NUMBER(name, text) STRING_##name,
	STRINGS(STRING_NUMBER)
#undef STRING_NUMBER
	NR_STRINGS
};

static const char *const strings[] = {
#define STRING_TEXT(name, text) text,
	STRINGS(STRING_TEXT)
#undef STRING_TEXT
};

/* What each sample has, in this order: X(name, unit). */
#define VALUES(X)                                          \
	X(ALLOC_OBJECTS, COUNT) X(ALLOC_SPACE, BYTES)      \
	X(INUSE_OBJECTS, COUNT) X(INUSE_SPACE, BYTES)      \
	X(PEAK_OBJECTS, COUNT) X(PEAK_SPACE, BYTES)        \
	X(FREED_OBJECTS, COUNT) X(LIFETIME, MILLISECONDS)  \
	X(PINNED_SPACE, BYTES) X(FREED_10MS, COUNT)        \
	X(FREED_1S, COUNT) X(FREED_1MIN, COUNT)            \
	X(GROWN_OBJECTS, COUNT) X(GROWN_SPACE, BYTES)      \
	X(FREED_AWAY, COUNT) X(FREED_BY_OTHER, COUNT)

enum value {
#define VALUE_NUMBER(name, unit) VALUE_##name,
	VALUES(VALUE_NUMBER)
#undef VALUE_NUMBER
	NR_VALUES
};
/* clang-format on */

static void type_put(struct writer *w, unsigned field, unsigned type,
		     unsigned unit)
{
	bytes_begin(w, field, number_size(type) + number_size(unit));
	number_put(w, 1, type);
	number_put(w, 2, unit);
}

static void head_put(struct writer *w)
{
	unsigned i;

#define VALUE_TYPE(name, unit) \
	type_put(w, FIELD_SAMPLE_TYPE, STRING_##name, STRING_##unit);
	VALUES(VALUE_TYPE)
#undef VALUE_TYPE
	for (i = 0; i < NR_STRINGS; i++)
		string_put(w, FIELD_STRING, strings[i]);
	type_put(w, FIELD_PERIOD_TYPE, STRING_SPACE, STRING_BYTES);
	number_put(w, FIELD_DROP_FRAMES, STRING_OWN);
	number_put(w, FIELD_DEFAULT_TYPE, STRING_INUSE_SPACE);
	number_put(w, FIELD_TIME, system_wall_ns());
}

static uint64_t objects(uint64_t weight)
{
	return (weight + (1 << CHANCE_SHIFT) / 2) >> CHANCE_SHIFT;
}

/* Each of the three holds the ones before it. */
static void ages_read(const struct trace *t, uint64_t values[NR_VALUES])
{
	uint64_t sum = trace_get(t, TRACE_FREED_SHORT);

	values[VALUE_FREED_10MS] = objects(sum);
	sum += trace_get(t, TRACE_FREED_MIDDLE);
	values[VALUE_FREED_1S] = objects(sum);
	sum += trace_get(t, TRACE_FREED_LONG);
	values[VALUE_FREED_1MIN] = objects(sum);
}

static void paths_read(const struct trace *t, uint64_t values[NR_VALUES])
{
	values[VALUE_GROWN_OBJECTS] =
		objects(trace_get(t, TRACE_GROWN_OBJECTS));
	values[VALUE_GROWN_SPACE] = trace_get(t, TRACE_GROWN_SPACE);
	values[VALUE_FREED_AWAY] = objects(trace_get(t, TRACE_FREED_AWAY));
	values[VALUE_FREED_BY_OTHER] =
		objects(trace_get(t, TRACE_FREED_BY_OTHER));
}

static void values_read(const struct trace *t, const struct pinned *pinned,
			uint64_t values[NR_VALUES])
{
	values[VALUE_ALLOC_OBJECTS] =
		objects(trace_get(t, TRACE_ALLOC_OBJECTS));
	values[VALUE_ALLOC_SPACE] = trace_get(t, TRACE_ALLOC_SPACE);
	values[VALUE_INUSE_OBJECTS] = objects(
		trace_less(t, TRACE_ALLOC_OBJECTS, TRACE_FREED_OBJECTS));
	values[VALUE_INUSE_SPACE] = trace_less(t, TRACE_ALLOC_SPACE,
					       TRACE_FREED_SPACE);
	values[VALUE_PEAK_OBJECTS] = objects(trace_get(t, TRACE_PEAK_OBJECTS));
	values[VALUE_PEAK_SPACE] = trace_get(t, TRACE_PEAK_SPACE);
	values[VALUE_FREED_OBJECTS] =
		objects(trace_get(t, TRACE_FREED_OBJECTS));
	values[VALUE_LIFETIME] = trace_get(t, TRACE_LIFETIME);
	values[VALUE_PINNED_SPACE] = pinned_of(pinned, t);
	ages_read(t, values);
	paths_read(t, values);
}

static void sample_put(struct writer *w, const struct pinned *pinned,
		       const struct trace *trace)
{
	uint64_t values[NR_VALUES];
	size_t ids = 0, sums = 0;
	unsigned i;

	values_read(trace, pinned, values);
	if (!values[VALUE_ALLOC_OBJECTS])
		return;
	for (i = 0; i < trace->nr; i++)
		ids += varint_size(trace->sites[i]);
	for (i = 0; i < NR_VALUES; i++)
		sums += varint_size(values[i]);
	bytes_begin(w, FIELD_SAMPLE,
		    number_size(ids) + ids + number_size(sums) + sums);
	bytes_begin(w, FIELD_LOCATION_IDS, ids);
	for (i = 0; i < trace->nr; i++)
		varint_put(w, trace->sites[i]);
	bytes_begin(w, FIELD_VALUES, sums);
	for (i = 0; i < NR_VALUES; i++)
		varint_put(w, values[i]);
}

/* One mapping of code with the numbers of its strings, which come first. */
static void mapping_put(struct writer *w, struct dump_scratch *s,
			const struct mapping *mapping, unsigned *next_string)
{
	char id[2 * BUILD_ID_MOST + 1];
	unsigned name = *next_string, build = 0;
	size_t size;

	string_put(w, FIELD_STRING, mapping->name);
	(*next_string)++;
	if (mapping->name[0] && maps_build_id(&s->maps, id)) {
		build = (*next_string)++;
		string_put(w, FIELD_STRING, id);
	}
	s->begins[s->nr_mappings] = mapping->begin;
	s->ends[s->nr_mappings++] = mapping->end;
	size = number_size(s->nr_mappings) + number_size(mapping->begin) +
	       number_size(mapping->end) + number_size(mapping->offset) +
	       number_size(name) + number_size(build);
	bytes_begin(w, FIELD_MAPPING, size);
	number_put(w, FIELD_ID, s->nr_mappings);
	number_put(w, FIELD_BEGIN, mapping->begin);
	number_put(w, FIELD_END, mapping->end);
	number_put(w, FIELD_OFFSET, mapping->offset);
	number_put(w, FIELD_NAME, name);
	number_put(w, FIELD_BUILD_ID, build);
}

static void mappings_put(struct writer *w, struct dump_scratch *s,
			 unsigned *next_string)
{
	struct mapping mapping;

	s->nr_mappings = 0;
	if (maps_open(&s->maps))
		return;
	while (s->nr_mappings < SCRATCH_MAPPINGS &&
	       maps_next(&s->maps, &mapping))
		if (mapping.code)
			mapping_put(w, s, &mapping, next_string);
	maps_close(&s->maps);
}

/* The number of the mapping that has the address; 0: none has. */
static uint32_t mapping_of(const struct dump_scratch *s, uint64_t address)
{
	uint32_t low = 0, high = s->nr_mappings, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (s->ends[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->nr_mappings && s->begins[low] <= address ? low + 1 : 0;
}

/* Sites are addresses behind calls. */
static void location_put(struct writer *w, const struct dump_scratch *s,
			 uint32_t site)
{
	uint64_t address = site_address(site) - 1;
	uint32_t mapping = mapping_of(s, address);

	bytes_begin(w, FIELD_LOCATION,
		    number_size(site) + number_size(mapping) +
			    number_size(address));
	number_put(w, FIELD_ID, site);
	number_put(w, FIELD_MAPPING_ID, mapping);
	number_put(w, FIELD_ADDRESS, address);
}

static void tail_put(struct writer *w, unsigned next_string)
{
	struct sampler_stats stats;
	char text[128];

	sampler_stats(&stats);
	report_format(text, sizeof(text),
		      "lanemalloc: %lu samples, %lu of them lost for lack of "
		      "profile_memory",
		      stats.nr_samples, stats.nr_dropped);
	string_put(w, FIELD_STRING, text);
	number_put(w, FIELD_COMMENT, next_string);
	number_put(w, FIELD_PERIOD, stats.interval);
}

/* Stacks before sites, so that a site that comes meanwhile is not missed. */
void dump_pprof(struct writer *w, struct dump_scratch *s)
{
	unsigned next_string = NR_STRINGS;
	const struct trace *trace;
	uint32_t at = 0, site;

	head_put(w);
	pinned_gather(&s->pinned);
	while ((trace = trace_next(&at)))
		sample_put(w, &s->pinned, trace);
	mappings_put(w, s, &next_string);
	for (site = 1; site <= site_nr(); site++)
		if (site_address(site))
			location_put(w, s, site);
	tail_put(w, next_string);
}
