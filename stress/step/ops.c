/* ops: the operations that `step` goes through, each for some way down the
 * layers. Blocks are in a worker's slots and ledger, or in its hand, so that
 * what a victim leaves is known.
 */
#include "step.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define CLASS_A 64   /* used by everything */
#define CLASS_B 1792 /* hardly used: its lane and bin are empty at first */
#define CLASS_C ((size_t)20 << 10)

static struct block *slot(struct worker *w, unsigned i)
{
	return &w->slots[i];
}

static void fill(struct worker *w, unsigned first, unsigned n, size_t size)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		slot_alloc(w, slot(w, i), size);
}

static void empty(struct worker *w, unsigned first, unsigned n)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		slot_free(w, slot(w, i));
}

/* The n-th CPU of those that may be used, in turn. */
void on_cpu(unsigned which)
{
	cpu_set_t may, one;
	unsigned i;

	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	which %= (unsigned)CPU_COUNT(&may);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &may) && !which--)
			break;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* ---- one call, stepped ---- */

static void step_malloc(struct worker *w, unsigned i, size_t size)
{
	void *at;

	expect(w, size);
	STEPPED(at = malloc(size));
	slot_fill(w, slot(w, i), at, size);
}

static void step_free(struct worker *w, unsigned i)
{
	void *at = let_go(w, slot(w, i));

	STEPPED(free(at));
	w->hand[0] = (struct block){ 0 };
}

/* Many calls in one go; those in the hand are counted one by one. */
static void step_malloc_many(struct worker *w, unsigned first, unsigned n,
			     size_t size)
{
	void *at[NR_SLOTS];
	unsigned i;

	w->hand[0] = (struct block){ 0 };
	steps_begin();
	for (i = 0; i < n; i++) {
		w->hand[0].size += size;
		at[i] = malloc(size);
	}
	steps_end();
	for (i = 0; i < n; i++)
		slot_fill(w, slot(w, first + i), at[i], size);
}

static void step_free_many(struct worker *w, unsigned first, unsigned n)
{
	void *at[NR_SLOTS];
	size_t size[NR_SLOTS], all = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		size[i] = slot(w, first + i)->size;
		all += size[i];
		at[i] = let_go(w, slot(w, first + i));
	}
	w->hand[0] = (struct block){ NULL, all, 0 };
	steps_begin();
	for (i = 0; i < n; i++) {
		free(at[i]);
		w->hand[0].size -= size[i];
	}
	steps_end();
}

static void step_realloc(struct worker *w, unsigned i, size_t size)
{
	struct block old = *slot(w, i);
	void *at = let_go(w, slot(w, i));

	w->hand[1] = (struct block){ NULL, size, 0 };
	STEPPED(at = realloc(old.at, size));
	w->hand[1] = (struct block){ 0 };
	slot_fill(w, slot(w, i), at ? at : old.at, at ? size : old.size);
}

static void step_aligned(struct worker *w, unsigned i, size_t align,
			 size_t size)
{
	void *at;

	expect(w, size > align ? size : align);
	STEPPED(at = memalign(align, size));
	if ((uintptr_t)at & (align - 1))
		child_fail(UNSOUND, "an aligned block is not aligned");
	slot_fill(w, slot(w, i), at, size);
}

static void step_calloc(struct worker *w, unsigned i, size_t size)
{
	unsigned char *at;
	size_t k;

	expect(w, size);
	STEPPED(at = calloc(1, size));
	for (k = 0; at && k < size; k++)
		if (at[k])
			child_fail(UNSOUND, "calloc's memory is not zero");
	slot_fill(w, slot(w, i), at, size);
}

/* ---- small blocks ---- */

static void warm_a(struct worker *w)
{
	fill(w, 0, 200, CLASS_A);
	empty(w, 20, 180);
}

static void malloc_a(struct worker *w)
{
	step_malloc(w, 300, CLASS_A);
}

static void free_a(struct worker *w)
{
	step_free(w, 3);
}

/* The lane is empty while slabs have free objects. */
static void before_refill(struct worker *w)
{
	void (*flush)(void);

	warm_a(w);
	*(void **)(void *)&flush = text_symbol("cpu_cache_flush_own");
	flush();
}

static void many_a(struct worker *w)
{
	fill(w, 0, 300, CLASS_A);
}

static void free_many_a(struct worker *w)
{
	step_free_many(w, 0, 66);
}

/* Nothing cached and no slab: the page heap must give units. */
static void purged(struct worker *w)
{
	(void)w;
	load_purge();
}

static void malloc_b(struct worker *w)
{
	step_malloc(w, 300, CLASS_B);
}

static void malloc_c(struct worker *w)
{
	step_malloc(w, 300, CLASS_C);
}

/* Slabs that are nearly empty: the frees empty them, the lists are swept, the
 * slabs go back. */
static void many_c(struct worker *w)
{
	fill(w, 0, 120, CLASS_C);
	empty(w, 24, 96);
}

static void release_slabs(struct worker *w)
{
	step_free_many(w, 0, 24);
}

static void burst_malloc(struct worker *w)
{
	step_malloc_many(w, 0, 4, 200);
}

static void have_burst(struct worker *w)
{
	fill(w, 0, 30, 200);
}

static void burst_free(struct worker *w)
{
	step_free_many(w, 0, 8);
}

/* Classes that take each other's capacity. */
static void capacity(struct worker *w)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		fill(w, 20 * i, 20, (size_t)1 << (8 + i));
	for (i = 0; i < 6; i++)
		empty(w, 20 * i, 20);
}

static void malloc_2k(struct worker *w)
{
	step_malloc_many(w, 200, 8, 2000);
}

/* ---- another CPU's slabs ---- */

static _Atomic(bool) helped;
static unsigned helper_cpu;

static void *help(void *w)
{
	on_cpu(helper_cpu);
	fill(w, 0, 150, CLASS_C);
	atomic_store(&helped, true);
	fate_sleep();
}

static void foreign_slabs(struct worker *w)
{
	atomic_store(&helped, false);
	helper_cpu = (unsigned)sched_getcpu() + 1;
	thread_start(help, w);
	while (!atomic_load(&helped))
		raw_sleep_us(100);
}

static void free_foreign(struct worker *w)
{
	step_free_many(w, 0, 16);
}

/* The other CPU's slabs have free objects: they are adopted. */
static void foreign_free_slabs(struct worker *w)
{
	unsigned i;

	foreign_slabs(w);
	for (i = 0; i < 150; i += 3)
		slot_free(w, slot(w, i));
}

static void steal(struct worker *w)
{
	step_malloc_many(w, 200, 8, CLASS_C);
}

/* ---- large blocks ---- */

/* The next slow path does a tick's work. */
static void tick_due(struct worker *w)
{
	slot_alloc(w, slot(w, 300), 600 * KIB);
	fill(w, 0, 60, 9 * KIB);
	empty(w, 10, 40);
	raw_sleep_us(3000);
}

#define ONE(name, call)                    \
	static void name(struct worker *w) \
	{                                  \
		call;                      \
	}

ONE(alloc_600k, step_malloc(w, 300, 600 * KIB))
ONE(alloc_3m, step_malloc(w, 300, 3 * MIB))
ONE(alloc_150m, step_malloc(w, 300, 150 * MIB))
ONE(free_300, step_free(w, 300))
ONE(grow_place, step_realloc(w, 300, 1600 * KIB))
ONE(grow_move, step_realloc(w, 300, 9 * MIB))
ONE(grow_small, step_realloc(w, 300, 3000))
ONE(to_small, step_realloc(w, 300, 100))
ONE(shrink, step_realloc(w, 300, 900 * KIB))
ONE(aligned_page, step_aligned(w, 300, 4096, 3000))
ONE(aligned_unit, step_aligned(w, 300, 64 * KIB, 700 * KIB))
ONE(aligned_vast, step_aligned(w, 300, 8 * MIB, 3 * MIB))
ONE(calloc_small, step_calloc(w, 300, 900))
ONE(calloc_large, step_calloc(w, 300, 700 * KIB))
ONE(have_600k, slot_alloc(w, slot(w, 300), 600 * KIB))
ONE(have_3m, slot_alloc(w, slot(w, 300), 3 * MIB))
ONE(have_1500k, slot_alloc(w, slot(w, 300), 1600 * KIB))
ONE(have_400, slot_alloc(w, slot(w, 300), 400))
ONE(dirty_600k, slot_alloc(w, slot(w, 300), 600 * KIB);
    slot_free(w, slot(w, 300)))

/* 5 MiB with a block behind it, so that it must move. */
static void have_5m(struct worker *w)
{
	slot_alloc(w, slot(w, 300), 5 * MIB);
	slot_alloc(w, slot(w, 301), 600 * KIB);
}

/* ---- the heap as a whole ---- */

static void some_garbage(struct worker *w)
{
	fill(w, 0, 60, 9 * KIB);
	fill(w, 60, 60, 300);
	fill(w, 120, 6, 600 * KIB);
	empty(w, 10, 40);
	empty(w, 70, 40);
	empty(w, 121, 4);
}

static void purge(struct worker *w)
{
	(void)w;
	STEPPED(load_purge());
}

static void statistics(struct worker *w)
{
	struct lanemalloc_stats s;

	(void)w;
	STEPPED(names.stats(&s, sizeof(s)));
}

static void gate(struct worker *w)
{
	void (*shut)(void), (*open)(void);

	(void)w;
	*(void **)(void *)&shut = text_symbol("heap_gate_close");
	*(void **)(void *)&open = text_symbol("heap_gate_open");
	steps_begin();
	shut();
	free(malloc(100));
	open();
	steps_end();
}

/* Up to the system call that makes the thread. */
static void reclaimer(struct worker *w)
{
	(void)w;
	STEPPED(names.reclaimer_start());
}

static void first_calls(struct worker *w)
{
	void *at;

	expect(w, 300);
	STEPPED(at = malloc(300));
	slot_fill(w, slot(w, 300), at, 300);
}

/* A thread's own end: what its destructors and libc free there. */
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void at_thread_end(void *arg)
{
	struct worker *w = arg;

	if (w->index == 9) {
		steps_end();
		w->index = 0;
		atomic_store(&w->done, true);
		child_wake();
		return;
	}
	w->index = 9; /* once more, after libc's own */
	pthread_setspecific(key, w);
	steps_begin();
	slot_alloc(w, slot(w, 300), 500);
	slot_free(w, slot(w, 300));
	slot_free(w, slot(w, 3));
}

static void make_key(void)
{
	pthread_key_create(&key, at_thread_end);
}

static void thread_end(struct worker *w)
{
	pthread_once(&once, make_key);
	pthread_setspecific(key, w);
}

#define COLD "reclaimer=0,purge_delay=3600000,purge_budget=0,cpu_cache=256k"
#define BY_CPU "reclaimer=0,purge_delay=3600000,index=cpu_id,cpu_cache=64k"
#define TICKS "reclaimer=0,purge_delay=1,purge_budget=64m"

const struct op ops[] = {
	{ .name = "malloc hit", .setup = warm_a, .run = malloc_a },
	{ .name = "malloc refill",
	  .setup = before_refill,
	  .run = malloc_a,
	  .own = true },
	{ .name = "malloc carve", .setup = purged, .run = malloc_b },
	{ .name = "malloc carve 20K", .setup = purged, .run = malloc_c },
	{ .name = "free hit", .setup = warm_a, .run = free_a },
	{ .name = "free flush", .setup = many_a, .run = free_many_a },
	{ .name = "4 mallocs", .setup = purged, .run = burst_malloc },
	{ .name = "8 frees", .setup = have_burst, .run = burst_free },
	{ .name = "slab release", .setup = many_c, .run = release_slabs },
	{ .name = "capacity",
	  .conf = BY_CPU,
	  .setup = capacity,
	  .run = malloc_2k },
	{ .name = "free foreign",
	  .conf = BY_CPU,
	  .setup = foreign_slabs,
	  .run = free_foreign },
	{ .name = "malloc steal",
	  .conf = BY_CPU,
	  .setup = foreign_free_slabs,
	  .run = steal },
	{ .name = "malloc 600K", .setup = purged, .run = alloc_600k },
	{ .name = "malloc 3M", .setup = purged, .run = alloc_3m },
	{ .name = "malloc 150M", .setup = purged, .run = alloc_150m },
	{ .name = "free 600K", .setup = have_600k, .run = free_300 },
	{ .name = "free 3M", .setup = have_3m, .run = free_300 },
	{ .name = "grow small", .setup = have_400, .run = grow_small },
	{ .name = "grow in place", .setup = have_600k, .run = grow_place },
	{ .name = "grow by moving", .setup = have_5m, .run = grow_move },
	{ .name = "shrink", .setup = have_1500k, .run = shrink },
	{ .name = "large to small", .setup = have_1500k, .run = to_small },
	{ .name = "aligned 4K", .setup = purged, .run = aligned_page },
	{ .name = "aligned 64K", .setup = purged, .run = aligned_unit },
	{ .name = "aligned 8M", .setup = purged, .run = aligned_vast },
	{ .name = "calloc", .setup = warm_a, .run = calloc_small },
	{ .name = "calloc 700K", .setup = dirty_600k, .run = calloc_large },
	{ .name = "tick", .conf = TICKS, .setup = tick_due, .run = free_300 },
	{ .name = "purge", .setup = some_garbage, .run = purge },
	{ .name = "statistics",
	  .setup = some_garbage,
	  .run = statistics,
	  .own = true },
	{ .name = "gate",
	  .setup = warm_a,
	  .run = gate,
	  .own = true,
	  .may_shut = true },
	{ .name = "thread end",
	  .setup = warm_a,
	  .run = thread_end,
	  .thread = true },
	{ .name = "first call", .conf = COLD, .run = first_calls },
	{ .name = "first call, direct",
	  .conf = "reclaimer=0,rseq=0",
	  .may_shut = true,
	  .run = first_calls },
	{ .name = "first reclaimer",
	  .conf = "reclaimer=1",
	  .run = reclaimer,
	  .own = true },
	{ 0 },
};

bool op_is_known(const struct op *op)
{
	return names.stats || (!op->own && !op->conf);
}
