/* heap_machine: operations of the machine and of the process as a whole */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "blocks.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "front/block.h"
#include "front/forms.h"
#include "front/free.h"
#include "front/gate.h"
#include "front/heap.h"
#include "front/quarantine.h"
#include "front/reclaimer.h"
#include "front/stats.h"
#include "front/tick.h"
#include "heap.h"
#include "interrupt.h"
#include "names.h"
#include "point.h"
#include "pageheap/page_heap.h"
#include "../../tests/page_heap_check.h"
#include "slab/collect.h"
#include "system/config.h"
#include "world.h"

static unsigned nr_closed; /* closings of the gate to be undone */

static void do_id(void)
{
	world_set_id(heap_ids[input_below(NR_IDS)]);
}

static void do_aborts(void)
{
	fuzz_abort_bits = input_short();
	if (fuzz_abort_bits == 0xffff)
		fuzz_abort_bits = UINT32_MAX;
}

/* The next calls of a kind fail: a few, or all from one on. */
static void do_failures(void)
{
	unsigned kind = input_below(NR_WORLD_CALLS), how = input_byte();

	world.plan[kind].skip = how % 8;
	world.plan[kind].fail = how < 128 ? 1 + how / 64 : 1000000;
}

static void do_recovery(void)
{
	memset(world.plan, 0, sizeof(world.plan));
}

static void do_clock(void)
{
	unsigned n = input_byte();

	world.now += n < 128 ? n * 16 : (uint64_t)n * n * 4;
}

static void do_purge(void)
{
	unsigned how = input_byte();

	if (how & 1)
		fuzz_malloc_trim((size_t)how << 16);
	else
		heap_purge(how < 128 ? 0 : (size_t)how << 14);
}

static void do_purge_pages(void)
{
	unsigned keep = input_byte(), most = input_byte();

	page_heap_purge((size_t)keep << UNIT_SHIFT,
			most == 255 ? SIZE_MAX : (size_t)most << UNIT_SHIFT);
}

static void do_drain(void)
{
	bool idle_only = input_byte() & 1;

	if (gate_is_open())
		drain_caches(rseq_self(), idle_only);
}

static void do_flush(void)
{
	if (gate_is_open())
		cpu_cache_flush_own();
}

static void do_gate(void)
{
	if (input_byte() % 3 == 0 && nr_closed < 4) {
		nr_closed++;
		heap_gate_close();
	} else if (nr_closed) {
		nr_closed--;
		heap_gate_open();
	}
}

static void do_tick(void)
{
	unsigned how = input_byte();

	if (how & 1)
		reclaimer_tick();
	else if (how & 2)
		tick_pass();
	else if (how & 4)
		page_heap_tick((size_t)how << 13);
	else
		bin_collect_next(how, how & 8 ? COLLECT_AGE_ANY :
						COLLECT_AGE_QUIET);
}

static void do_capacity(void)
{
	static const uint64_t sizes[] = { 0, 100, 65536, 2097152, 1 << 30 };
	unsigned how = input_byte();

	config.cpu_cache = sizes[how % 5];
	config.purge_budget = how & 64 ? (uint64_t)(how % 16) << 18 : 4194304;
	config.purge_delay = how & 128 ? how % 7 * 300 : 1000;
}

static void do_statistics(void)
{
	static size_t (*const forms[])(char *, size_t) = {
		forms_json, forms_detail_json, forms_prometheus, forms_table
	};
	static char text[65536];
	size_t size = input_short() % sizeof(text), n;

	memset(text, 1, sizeof(text));
	n = forms[size % 4](text, size);
	must(n < sizeof(text) && text[size] == 1);
	if (size)
		must(strlen(text) == (n < size ? n : size - 1));
	forms_print();
	fuzz_mallinfo2();
	world_text_clear();
}

/* The reclaimer is created, or has a turn of some sleeps. */
static void do_reclaimer(void)
{
	unsigned how = input_byte();
	jmp_buf turn, *outer = world.on_sleep;
	unsigned left = world.nr_sleeps;

	if (!world.thread || how & 1) {
		heap_threads_start();
		return;
	}
	world.nr_sleeps = how / 2 % 8;
	world.on_sleep = &turn;
	if (!setjmp(turn))
		world.thread(world.thread_arg);
	/* This one may have come in between another's instructions. */
	world.on_sleep = outer;
	world.nr_sleeps = left;
}

static void free_wrong(char *pointer)
{
	jmp_buf aborted;
	uint64_t paused = interrupt_pause();
	uint32_t abort_bits = fuzz_abort_bits;
	const char *text;

	fuzz_abort_bits = 0;
	world_text_clear();
	world.on_abort = &aborted;
	if (!setjmp(aborted)) {
		fuzz_free(pointer);
		finding("free of %p, no block, is not refused",
			(void *)pointer);
	}
	world.on_abort = NULL;
	text = world_text();
	must(!strncmp(text, "lanemalloc: free of 0x", 22));
	/* One line, and what lies around the block with checks=full. */
	must(strchr(text, '\n') == text + strlen(text) - 1 ||
	     config_checks_full());
	world_text_clear();
	fuzz_abort_bits = abort_bits;
	interrupt_resume(paused);
}

/* Pointers that are no blocks: into one, behind all; with
 * exact checks also a block that is free. */
static void do_misuse(void)
{
	unsigned slot = blocks_next(input_short() % NR_BLOCKS);
	unsigned how = input_byte();
	struct held block;

	if (slot == NR_BLOCKS)
		return;
	if (how % 4 == 0) {
		free_wrong(regions[0].base + region_size(&regions[0]) - 16 -
			   how * 4096u);
		return;
	}
	if (how % 4 == 1 && (config.checks || blocks[slot].size > 65536)) {
		block = blocks_remove(slot);
		fuzz_free(block.at);
		if (interrupt_depth() <= 1)
			free_wrong(block.at);
		return;
	}
	if (blocks[slot].size > how)
		free_wrong(blocks[slot].at + 1 + how % blocks[slot].size);
}

static void do_check(void)
{
	machine_check();
}

static void do_nothing(void)
{
}

heap_operation *const heap_machine_operations[] = {
	do_nothing, do_id,	do_id,		do_aborts,   do_failures,
	do_recovery, do_clock,	do_purge,	do_drain,    do_flush,
	do_gate,    do_tick,	do_capacity,	do_statistics,
	do_reclaimer, do_misuse, do_check,	do_purge_pages,
};
const unsigned nr_heap_machine_operations =
	sizeof(heap_machine_operations) / sizeof(heap_machine_operations[0]);

/* Begin and end */

static char conf[256];

/* Options as the program's environment would have them. */
static void read_options(void)
{
	static const char *const words[] = {
		"", "", "", "rseq=off", "index=cpu_id", "checks=1",
		"usable=requested", "usable=requested,checks=1",
		"cpu_cache=0", "cpu_cache=64k", "purge_budget=0",
		"purge_budget=0,purge_delay=0", "hugepage=on",
		"hugepage=off", "hugepage=auto,purge_delay=1",
		"reclaimer=off",
	};
	unsigned how = input_byte();

	snprintf(conf, sizeof(conf), "LANEMALLOC_CONF=%s,%s", words[how % 16],
		 words[how / 16]);
	world_set_environment(conf);
}

/* The machine: page size, address space, kernel. */
static void read_machine(void)
{
	static const size_t limits[] = { 0,	   0,	      64 * MIB,
					 200 * MIB, 17 * MIB, 1024 * MIB };
	static const size_t pages[] = { 4, 4, 4, 4, 4, 16, 64, 64 };
	unsigned how = input_byte(), kernel = input_byte();

	world.page = pages[how % 8] * KIB;
	world.address_limit = limits[how / 8 % 6];
	world.placing = how / 64;
	world.memory_size = kernel & 1 ? (uint64_t)1 << 35 : 0;
	world.nr_cpus = kernel & 2 ? 4 : 8192;
	if ((kernel & 12) == 12)
		fuzz_rseq_size = kernel & 16 ? 20 : 0;
	world_features = kernel & 32 ? 20 : 28;
	if ((kernel & 192) == 192)
		world.plan[WORLD_REGISTER].fail = 1000000;
}

static void purged(char *addr, size_t size)
{
	blocks_check_dead(addr, size);
}

void heap_begin(void)
{
	world_reset();
	interrupt_reset();
	blocks_reset();
	nr_closed = 0;
	read_options();
	read_machine();
	world.purged = purged;
	world_set_id(heap_ids[0]);
}

/* Bytes of blocks that the table holds, as the heap counts them. */
static size_t live_size(void)
{
	struct block found;
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++) {
		if (!blocks[i].at)
			continue;
		block_find(blocks[i].at, "fuzz", &found);
		sum += found.size;
	}
	return sum;
}

/* While other operations are under way their blocks are in no table; what
 * died held some. */
static bool is_exact(void)
{
	return interrupt_depth() <= 1 && !interrupt_nr_deaths();
}

static void check_pages(void)
{
	struct page_heap_count count;
	struct page_heap_stats stats;

	page_heap_check();
	page_heap_count(&count);
	page_heap_stats(&stats);
	must((count.nr_data - count.nr_free) << UNIT_SHIFT ==
	     stats.claimed_size);
	must(count.nr_dirty << UNIT_SHIFT == stats.free_dirty_size);
	must(!count.nr_unfiled);
	must(!count.nr_unhinted || world.page > UNIT_SIZE);
}

void machine_check(void)
{
	uint64_t paused = interrupt_pause();
	struct lanemalloc_stats s;

	stats_gather(&s);
	if (is_exact()) {
		must(s.live_size == live_size());
		check_pages();
	}
	blocks_check_all();
	interrupt_resume(paused);
}

/* Runs of the page heap that are neither blocks nor slabs: at most a bin set
 * of each id. */
static size_t own_size_most(void)
{
	return NR_IDS * UNIT_SIZE;
}

static void check_nothing_left(void)
{
	struct lanemalloc_stats s;
	struct page_heap_stats pages;

	stats_gather(&s);
	page_heap_stats(&pages);
	must(!s.live_size && !s.nr_large);
	if (gate_is_open() && rseq_state.fence)
		must(!s.cached_size);
	/* Without a fence nobody takes a CPU's ring. */
	must(!quarantine_size() || !rseq_state.fence);
	if (!s.cached_size && !quarantine_size()) {
		must(!s.nr_slabs);
		must(pages.claimed_size <= own_size_most());
		/* Half a page whose other half is in use stays. */
		must(pages.free_dirty_size <=
		     (world.page > UNIT_SIZE ? pages.claimed_size : 0));
	}
	check_pages();
}

/* The system works again and the gate is opened; time enough passes for the
 * lease of a drainer that gave up. */
void heap_end(void)
{
	unsigned slot, i;

	interrupt_pause();
	fuzz_abort_bits = 0;
	do_recovery();
	world_set_id(heap_ids[0]);
	for (; nr_closed; nr_closed--)
		heap_gate_open();
	machine_check();
	while ((slot = blocks_next(0)) != NR_BLOCKS)
		fuzz_free(blocks_remove(slot).at);
	heap_quarantine_flush();
	for (i = 0; i < 4; i++) {
		world.now += 100000;
		world_set_id(heap_ids[i]);
		heap_purge(0);
	}
	if (is_exact() && heap_start())
		check_nothing_left();
	else
		forms_print();
}
