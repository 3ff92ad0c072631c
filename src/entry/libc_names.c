/* layer 6.3: libc names: what malloc.h of glibc declares beside malloc
 *
 * The numbers come from the heap itself at the time of the call, in time
 * proportional to the heap's size. Not on musl, which has none of these.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>

#include "front/forms.h"
#include "front/heap.h"
#include "front/stats.h"

static int to_int(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

/* In glibc's terms: arena is what we have from the system, hblk* are blocks
 * with a mapping of their own (here: of whole units), uordblks is in use,
 * fordblks is free and resident, keepcost is what malloc_trim() would give
 * back at once. */
exported struct mallinfo2 mallinfo2(void)
{
	struct lanemalloc_stats s;

	stats_gather(&s);
	return (struct mallinfo2){
		.arena = s.live_size + s.cached_size + s.slab_free_size +
			 s.free_dirty_size - s.live_large_size,
		.ordblks = s.nr_slabs,
		.hblks = s.nr_large,
		.hblkhd = s.live_large_size,
		.uordblks = s.live_size - s.live_large_size,
		.fordblks = s.cached_size + s.slab_free_size +
			    s.free_dirty_size,
		.keepcost = s.free_dirty_size,
	};
}

/* The old form has ints; what does not fit is shown as INT_MAX. */
exported struct mallinfo mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct mallinfo){
		.arena = to_int(m.arena),
		.ordblks = to_int(m.ordblks),
		.hblks = to_int(m.hblks),
		.hblkhd = to_int(m.hblkhd),
		.uordblks = to_int(m.uordblks),
		.fordblks = to_int(m.fordblks),
		.keepcost = to_int(m.keepcost),
	};
}

/* The parameters that exist are accepted and have no effect. */
exported int mallopt(int parameter, int value)
{
	(void)value;
	return (parameter >= M_MXFAST && parameter <= M_KEEP) ||
	       (parameter >= M_ARENA_MAX && parameter <= M_TRIM_THRESHOLD);
}

exported int malloc_trim(size_t pad)
{
	return heap_purge(pad) > 0;
}

exported void malloc_stats(void)
{
	forms_print();
}

static void info_totals(FILE *out, const struct lanemalloc_stats *s)
{
	size_t nr_small = s->nr_slabs;
	size_t free_size = s->cached_size + s->slab_free_size;
	size_t system_size = s->live_size + free_size + s->free_dirty_size;

	fprintf(out,
		"<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n"
		"<system type=\"max\" size=\"%zu\"/>\n"
		"<aspace type=\"total\" size=\"%zu\"/>\n"
		"<aspace type=\"mprotect\" size=\"%zu\"/>\n",
		(size_t)s->nr_cpu_caches, (size_t)s->cached_size, nr_small,
		(size_t)(s->slab_free_size + s->free_dirty_size),
		(size_t)s->nr_large, (size_t)s->live_large_size, system_size,
		(size_t)s->committed_size, (size_t)s->reserved_size,
		(size_t)s->committed_size);
}

/* glibc's frame and totals, and all numbers of lanemalloc_stats() as elements
 * of our own. Written through stdio, so the caller is not in a handler. */
exported int malloc_info(int options, FILE *out)
{
	struct lanemalloc_stats s;

	if (options)
		return EINVAL;
	stats_gather(&s);
	fputs("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n",
	      out);
	info_totals(out, &s);
	fputs("</heap>\n", out);
	info_totals(out, &s);
#define INFO_LINE(name, unit, help)                                      \
	fprintf(out, "<lanemalloc name=\"%s\" value=\"%zu\"/>\n", #name, \
		(size_t)s.name);
	LANEMALLOC_STATS(INFO_LINE)
#undef INFO_LINE
	fputs("</malloc>\n", out);
	return 0;
}
