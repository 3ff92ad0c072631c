/* fuzz_page_heap: runs of units against a map of who holds which unit
 *
 * The page heap alone: taken, extended, and given back in parts that need not
 * be what was taken. Each held unit has an owner in the map and a word in its
 * memory. A unit that two hold, one that is purged while somebody holds it,
 * and one that is said to be zero and is not, are findings; at the end all of
 * them are free again.
 */
#include <string.h>

#include "interrupt.h"
#include "pageheap/budget.h"
#include "pageheap/page_heap.h"
#include "../../tests/page_heap_check.h"
#include "system/config.h"
#include "target.h"
#include "world.h"

#define NR_RUNS 200
#define CHECK_EVERY 64
#define UNITS_MOST 20000 /* of one run; 625 MiB */

struct mark {
	uint64_t run; /* number + 1; 0: nobody wrote here since a purge */
	uint64_t unit;
};

static struct run runs[NR_RUNS]; /* nr_units 0: the slot is empty */
static const uint32_t ids[] = { 0, 1, 2, 3 };

static char *unit_addr(const struct run *run, uint32_t i)
{
	return region_addr(run->region, run->unit + i);
}

static size_t run_size(const struct run *run)
{
	return (size_t)run->nr_units << UNIT_SHIFT;
}

/* No run of the table reaches into [at, at + size). */
static void check_nobody(const char *at, size_t size, const char *what)
{
	unsigned i;

	for (i = 0; i < NR_RUNS; i++)
		if (runs[i].nr_units && at < unit_addr(&runs[i], 0) +
						     run_size(&runs[i]) &&
		    unit_addr(&runs[i], 0) < at + size)
			finding("%s: %p of %zu meets run %u", what,
				(const void *)at, size, i);
}

static void purged(char *addr, size_t size)
{
	check_nobody(addr, size, "purge");
}

/* Long runs are looked at here and there. */
static uint32_t step_of(const struct run *run)
{
	return 1 + run->nr_units / 96;
}

static void mark_units(const struct run *run, uint32_t from, unsigned slot)
{
	struct mark *mark;
	uint32_t i;

	for (i = from; i < run->nr_units; i += step_of(run)) {
		mark = (void *)unit_addr(run, i);
		*mark = (struct mark){ slot + 1, run->unit + i };
	}
}

static void check_zero(const struct run *run)
{
	const struct mark *mark;
	uint32_t i;

	for (i = 0; i < run->nr_units; i += step_of(run)) {
		mark = (void *)unit_addr(run, i);
		if (mark->run || mark->unit)
			finding("unit %u is not zero", run->unit + i);
	}
}

/* A run that was cut has marks where it had them when it was whole. */
static void check_marks(const struct run *run)
{
	const struct mark *mark = (void *)unit_addr(run, 0);

	if (mark->run && mark->unit != run->unit)
		finding("run at unit %u: the mark says %lu", run->unit,
			(unsigned long)mark->unit);
}

static unsigned slot_empty(void)
{
	unsigned i;

	for (i = 0; i < NR_RUNS && runs[i].nr_units; i++)
		;
	return i;
}

static unsigned slot_used(unsigned from)
{
	unsigned i;

	for (i = 0; i < NR_RUNS; i++)
		if (runs[(from + i) % NR_RUNS].nr_units)
			return (from + i) % NR_RUNS;
	return NR_RUNS;
}

static uint32_t read_count(void)
{
	unsigned n = input_byte();

	if (n < 100)
		return n % 10 + 1;
	if (n < 200)
		return n - 99;
	if (n < 240)
		return 32 * (n - 199) + n % 3 - 1;
	return 1 + input_short() % UNITS_MOST;
}

static void check_taken(const struct run *run, size_t align)
{
	must(((size_t)unit_addr(run, 0) >> UNIT_SHIFT) % align == 0);
	must(world_is_mapped(unit_addr(run, 0), run_size(run)));
	check_nobody(unit_addr(run, 0), run_size(run), "take");
	if (run->zero)
		check_zero(run);
}

static void keep(const struct run *run)
{
	unsigned slot = slot_empty();

	if (slot == NR_RUNS) {
		page_heap_give(run->region, run->unit, run->nr_units);
		return;
	}
	runs[slot] = *run;
	mark_units(run, 0, slot);
}

static void do_take(void)
{
	unsigned n = 1 + input_below(24), how = input_byte();
	size_t align = how < 128 ? 1 : (size_t)1 << how % 14;
	uint32_t nr_units = read_count();
	struct run run;

	if (nr_units > 64)
		n = 1 + n % 3;
	while (n--) {
		if (!page_heap_take(nr_units, align, world_area.cpu_id, &run))
			return;
		must(run.nr_units == nr_units);
		check_taken(&run, align);
		keep(&run);
	}
}

static void do_take_absurd(void)
{
	static const size_t sizes[] = { SIZE_MAX, (size_t)1 << 32,
					((size_t)1 << 32) + 1,
					(size_t)1 << 25, (size_t)1 << 62 };
	size_t nr_units = sizes[input_below(5)], align = sizes[input_below(5)];
	struct run run;

	if (!is_power_of_two(align) || world.memory_size)
		align = 1;
	if (page_heap_take(nr_units, align, 0, &run))
		page_heap_give(run.region, run.unit, run.nr_units);
}

/* All of a run, its front or its back. */
static void give_part(unsigned slot, unsigned how)
{
	struct run run = runs[slot];
	uint32_t part = 1 + how / 4 % run.nr_units;

	check_marks(&run);
	runs[slot].nr_units = 0;
	if (how % 4 == 0 && part < run.nr_units) {
		runs[slot].nr_units = run.nr_units - part;
		runs[slot].unit += part;
		run.nr_units = part;
	} else if (how % 4 == 1 && part < run.nr_units) {
		runs[slot].nr_units = run.nr_units - part;
		run.unit += run.nr_units - part;
		run.nr_units = part;
	}
	page_heap_give(run.region, run.unit, run.nr_units);
}

static void do_give(void)
{
	unsigned slot = input_byte(), n = 1 + input_below(32);
	unsigned how = input_byte();

	while (n--) {
		slot = slot_used(slot % NR_RUNS);
		if (slot == NR_RUNS)
			return;
		give_part(slot, how);
		slot += how & 128 ? 2 : 1;
	}
}

/* Two runs that touch go back as one. */
static void do_give_joined(void)
{
	unsigned a = slot_used(input_byte() % NR_RUNS), b;
	struct run run;

	if (a == NR_RUNS)
		return;
	run = runs[a];
	runs[a].nr_units = 0;
	for (b = 0; b < NR_RUNS; b++) {
		if (!runs[b].nr_units || runs[b].region != run.region ||
		    runs[b].unit != run.unit + run.nr_units)
			continue;
		run.nr_units += runs[b].nr_units;
		runs[b].nr_units = 0;
		break;
	}
	page_heap_give(run.region, run.unit, run.nr_units);
}

/* The slot is empty meanwhile: the run is this operation's alone. */
static void do_extend(void)
{
	unsigned slot = slot_used(input_byte() % NR_RUNS);
	uint32_t more = read_count();
	struct run run, rest;

	if (slot == NR_RUNS)
		return;
	run = runs[slot];
	runs[slot].nr_units = 0;
	if (page_heap_try_extend(run.region, run.unit, run.nr_units, more)) {
		rest = run;
		rest.unit += run.nr_units;
		rest.nr_units = more;
		rest.zero = false;
		check_taken(&rest, 1);
		run.nr_units += more;
	}
	check_nobody(unit_addr(&run, 0), run_size(&run), "extend");
	keep(&run);
}

static void do_purge(void)
{
	unsigned keep_units = input_byte(), most = input_byte();

	page_heap_purge((size_t)keep_units << UNIT_SHIFT,
			most == 255 ? SIZE_MAX : (size_t)most << UNIT_SHIFT);
}

static void do_tick(void)
{
	unsigned n = input_byte();

	page_heap_tick(n & 1 ? SIZE_MAX : (size_t)n << UNIT_SHIFT);
}

static void do_machine(void)
{
	unsigned how = input_byte(), n = input_byte();

	if (how % 4 == 0)
		world.now += n * 30;
	else if (how % 4 == 1)
		world_set_id(n % 4);
	else if (how % 4 == 2)
		config.purge_budget = (uint64_t)n << 17;
	else
		memset(world.plan, 0, sizeof(world.plan));
}

static void do_failures(void)
{
	static const unsigned kinds[] = { WORLD_MAP, WORLD_MAP,
					  WORLD_PURGE, WORLD_MAP };
	unsigned kind = kinds[input_below(4)], how = input_byte();

	world.plan[kind].skip = how % 8;
	world.plan[kind].fail = how < 160 ? 1 + how / 64 : 1000000;
}

static uint64_t held_units(void)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < NR_RUNS; i++)
		sum += runs[i].nr_units;
	return sum;
}

/* Words, counters, hints and the table agree. */
static void heap_verify(void)
{
	uint64_t paused = interrupt_pause();
	struct page_heap_count count;

	if (interrupt_depth() <= 1 && !interrupt_nr_deaths()) {
		page_heap_check();
		page_heap_count(&count);
		must(count.nr_data - count.nr_free == held_units());
		must(budget_claimed_size() >> UNIT_SHIFT == held_units());
		must(budget_dirty_size() >> UNIT_SHIFT == count.nr_dirty);
		must(!count.nr_unfiled);
		must(!count.nr_unhinted || world.page > UNIT_SIZE);
	}
	interrupt_resume(paused);
}

static void (*const operations[])(void) = {
	do_take, do_take, do_take, do_give,	 do_give,
	do_give, do_give_joined,   do_extend,	 do_extend,
	do_purge, do_tick, do_machine,	 do_failures, heap_verify,
	do_take_absurd,
};

static void operate(void)
{
	operations[input_below(240) %
		   (sizeof(operations) / sizeof(operations[0]))]();
}

static void begin(void)
{
	static const size_t limits[] = { 0, 0, 17 * MIB, 64 * MIB, 300 * MIB,
					 1024 * MIB };
	static const size_t pages[] = { 4, 4, 16, 64 };
	unsigned how = input_byte();

	world_reset();
	interrupt_reset();
	memset(runs, 0, sizeof(runs));
	world.page = pages[how % 4] * KIB;
	world.address_limit = limits[how / 4 % 6];
	world.placing = how / 24 % 4;
	world.memory_size = how > 200 ? (uint64_t)1 << 36 : 0;
	world.purged = purged;
	config.hugepage = how / 96;
	config.purge_budget = 2 * MIB;
	world_set_id(0);
}

static void end(void)
{
	unsigned slot;

	interrupt_pause();
	memset(world.plan, 0, sizeof(world.plan));
	heap_verify();
	while ((slot = slot_used(0)) != NR_RUNS)
		give_part(slot, 3);
	heap_verify();
	page_heap_purge(0, SIZE_MAX);
	heap_verify();
	if (!interrupt_nr_deaths())
		must(!budget_dirty_size());
}

void target_run(const uint8_t *data, size_t size)
{
	unsigned n, i;

	input_set(data, size);
	begin();
	for (i = 1; !input_ended(); i++) {
		n = input_byte();
		if (n >= 232)
			interrupt_plan(operate, ids, 4);
		else
			interrupt_run(operations[n % (sizeof(operations) /
						      sizeof(operations[0]))]);
		if (i % CHECK_EVERY == 0)
			heap_verify();
	}
	end();
}
