/* layer 6.8: start: what happens at load and at exit
 *
 * Nothing needs this to have run: every slow path starts the heap by itself.
 * The constructor only makes it happen early, while the program has one
 * thread, and prints what the options ask for. Statistics are written by the
 * destructor, after the program's own exit handlers, straight to descriptor
 * 2: by then the program may have closed its stderr stream.
 */
#include "base/bits.h"
#include "front/heap.h"
#include "front/stats.h"
#include "lanemalloc.h"
#include "system/config.h"
#include "system/report.h"

static void print_memory_layout(void)
{
	const struct region *r = &regions[0];

	// const: heap_start() made the region
	size_t size = load_relaxed(&r->nr_units) * UNIT_SIZE;

	report_line("region of %zu MiB at %p, data at %p, units of %zu bytes",
		    size >> 20, (void *)r->base,
		    (void *)region_addr(r, r->first_unit), UNIT_SIZE);
}

static void print_start(void)
{
	const char *why;
	const char *mode = stats_mode(&why);

	report_line("version %s, mode %s: %s", lanemalloc_version(), mode, why);
	print_memory_layout();
	config_print();
}

static __attribute__((constructor(101))) void start(void)
{
	if (!heap_start())
		report_line("no address space for the heap");
	else if (config.verbose)
		print_start();
}

static __attribute__((destructor)) void finish(void)
{
	if (config.stats)
		stats_print();
}
