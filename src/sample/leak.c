/* layer 4.10: leak: the stacks whose blocks were not freed, as lines; contract
 * in leak.h */
#include "sample/leak.h"

#include "sample/chance.h"
#include "sample/fde.h"
#include "sample/sampler.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "system/files.h"
#include "system/report.h"
#include "system/system.h"

#define LEAK_FRAMES 16
#define PATH_SIZE 256

struct largest {
	char program[PATH_SIZE]; /* its file */

	const struct trace *trace[LEAK_STACKS];
	uint64_t space[LEAK_STACKS];
	unsigned nr;	 /* of these */
	unsigned nr_all; /* of those that are large enough */
};

static void largest_add(struct largest *l, const struct trace *trace,
			uint64_t space)
{
	unsigned i = l->nr;

	l->nr_all++;
	if (i == LEAK_STACKS && space <= l->space[--i])
		return;
	l->nr = i + 1;
	for (; i > 0 && space > l->space[i - 1]; i--) {
		l->trace[i] = l->trace[i - 1];
		l->space[i] = l->space[i - 1];
	}
	l->trace[i] = trace;
	l->space[i] = space;
}

static void largest_find(struct largest *l, uint64_t least)
{
	const struct trace *trace;
	uint64_t space;
	uint32_t at = 0;

	while ((trace = trace_next(&at))) {
		space = trace_less(trace, TRACE_ALLOC_SPACE, TRACE_FREED_SPACE);
		if (space >= least)
			largest_add(l, trace, space);
	}
}

/* The call lies before the address that stands on the stack. */
static void frame_print(const struct largest *l, unsigned i, uint64_t address)
{
	int pid = system_getpid();
	const char *name;
	uint64_t in_file;

	if (!fde_in_file(address - 1, &name, &in_file))
		report_line("pid %d:   #%u 0x%lx", pid, i, address - 1);
	else
		report_line("pid %d:   #%u %s+0x%lx", pid, i,
			    *name ? name : l->program, in_file);
}

static void trace_print(const struct largest *l, unsigned number)
{
	const struct trace *trace = l->trace[number];
	uint64_t nr = trace_less(trace, TRACE_ALLOC_OBJECTS,
				 TRACE_FREED_OBJECTS);
	uint32_t i;

	nr = (nr + (1 << CHANCE_SHIFT) / 2) >> CHANCE_SHIFT;
	report_line("pid %d: not freed: %lu bytes in %lu block%s (%lu sampled)",
		    system_getpid(), l->space[number], nr, nr == 1 ? "" : "s",
		    trace_less(trace, TRACE_ALLOCS, TRACE_FREES));
	for (i = 0; i < trace->nr && i < LEAK_FRAMES; i++)
		frame_print(l, i, site_address(trace->sites[i]));
}

unsigned leak_report(uint64_t least)
{
	struct largest l = { .nr = 0 };
	unsigned i;

	if (!sampler_has_tables())
		return 0;
	system_read_link("/proc/self/exe", l.program, PATH_SIZE);
	largest_find(&l, least);
	for (i = 0; i < l.nr; i++)
		trace_print(&l, i);
	if (l.nr_all > l.nr)
		report_line("pid %d: not freed: %u more stack%s",
			    system_getpid(), l.nr_all - l.nr,
			    l.nr_all - l.nr == 1 ? "" : "s");
	return l.nr_all;
}
