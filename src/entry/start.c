/* layer 6.8: start: what happens at load and at exit
 *
 * Nothing needs this to have run: every slow path starts the heap by itself.
 * The constructor only makes it happen early, while the program has one
 * thread, and prints what the options ask for; the destructor lets output.h
 * write, after the program's own exit handlers.
 */
#include "cpucache/rseq_own.h"
#include "entry/output.h"
#include "front/check.h"
#include "front/heap.h"
#include "front/stats.h"
#include "guard/catch.h"
#include "guard/pool.h"
#include "lanemalloc.h"
#include "system/colours.h"
#include "system/config.h"
#include "system/report.h"
#include "system/sealed.h"
#include "system/system.h"
#include "system/threads.h"
#include "system/vdso.h"

static void print_memory_layout(void)
{
	const struct region *r = &regions[0];

	// const: heap_start() made the region
	size_t size = load_relaxed(&r->nr_units) * UNIT_SIZE;

	report_line("pid %d: blocks lie within %zu MiB from %p on, "
		    "in units of %zu",
		    system_getpid(), size >> 20, (void *)r->base, UNIT_SIZE);
}

static void print_start(void)
{
	const char *why;

	stats_mode(&why);
	report_line("pid %d: version %s, mode %s", system_getpid(),
		    lanemalloc_version(), why);
	print_memory_layout();
	config_print();
}

static __attribute__((constructor(101))) void start(void)
{
	vdso_find_clock();
	if (rseq_own_start)
		rseq_own_start();
	if (!heap_start()) {
		report_line("pid %d: no address space for the heap: "
			    "see ulimit -v",
			    system_getpid());
		return;
	}
	if (config.verbose)
		print_start();
	output_prepare();
	if (config.guard && !guarded_is_on())
		report_line("no memory for guarded blocks");
}

/* Runs behind the one that finds libc's functions (real.c). */
static __attribute__((constructor(103))) void seal(void)
{
	if (guarded_is_on() || colours_are_on())
		catch_start();
	system_make_readonly(&sealed, sizeof(sealed));
}

static __attribute__((destructor)) void finish(void)
{
	heap_check("check at exit");
	output_finish();
}
