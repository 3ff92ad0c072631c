/* layer 4.10: text: the profile as gperftools has it
 *
 * Counts are those of the samples, which the reader scales up by the interval
 * that the first line names. Behind the stacks stands what is mapped where.
 * Only reads; see dump.h.
 */
#include "sample/dump.h"
#include "sample/sampler.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "system/files.h"

struct sums {
	uint64_t live, live_bytes, allocs, alloc_bytes;
};

static struct sums sums_of(const struct trace *trace)
{
	return (struct sums){
		.live = trace_less(trace, TRACE_ALLOCS, TRACE_FREES),
		.live_bytes = trace_less(trace, TRACE_ALLOC_BYTES,
					 TRACE_FREED_BYTES),
		.allocs = trace_get(trace, TRACE_ALLOCS),
		.alloc_bytes = trace_get(trace, TRACE_ALLOC_BYTES),
	};
}

static void sums_put(struct writer *w, const struct sums *sums)
{
	writer_format(w, "%lu: %lu [%lu: %lu] @", sums->live, sums->live_bytes,
		      sums->allocs, sums->alloc_bytes);
}

static void total_put(struct writer *w)
{
	struct sums total = { 0 }, sums;
	struct sampler_stats stats;
	const struct trace *trace;
	uint32_t at = 0;

	while ((trace = trace_next(&at))) {
		sums = sums_of(trace);
		total.live += sums.live;
		total.live_bytes += sums.live_bytes;
		total.allocs += sums.allocs;
		total.alloc_bytes += sums.alloc_bytes;
	}
	sampler_stats(&stats);
	writer_text(w, "heap profile: ");
	sums_put(w, &total);
	if (stats.interval > 1)
		writer_format(w, " heap_v2/%lu\n", stats.interval);
	else
		writer_text(w, " heapprofile\n");
}

static void trace_put(struct writer *w, const struct trace *trace)
{
	struct sums sums = sums_of(trace);
	uint32_t i;

	if (!sums.allocs)
		return;
	sums_put(w, &sums);
	for (i = 0; i < trace->nr; i++)
		writer_format(w, " 0x%lx", site_address(trace->sites[i]));
	writer_text(w, "\n");
}

static void maps_put(struct writer *w, struct dump_scratch *s)
{
	long n;

	writer_text(w, "\nMAPPED_LIBRARIES:\n");
	if (maps_open(&s->maps))
		return;
	while ((n = system_read(s->maps.fd, s->maps.text, MAPS_LINE)) > 0)
		writer_put(w, s->maps.text, (size_t)n);
	maps_close(&s->maps);
}

void dump_text(struct writer *w, struct dump_scratch *s)
{
	const struct trace *trace;
	uint32_t at = 0;

	total_put(w);
	while ((trace = trace_next(&at)))
		trace_put(w, trace);
	maps_put(w, s);
}
