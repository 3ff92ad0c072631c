/* ops: the operations that `step` goes through, each for some way down the
 * layers. Blocks are in a worker's slots and ledger, or in its hand, so that
 * what a victim leaves is known.
 */
#include "step.h"

#include "../harness/cpus.h"

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
	cpu_set_t may;

	if (!sched_getaffinity(0, sizeof(may), &may))
		cpus_go(0, &may, which);
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

ONE(malloc_a, step_malloc(w, 300, CLASS_A))
ONE(free_a, step_free(w, 3))

/* The lane is empty while slabs have free objects. */
static void before_refill(struct worker *w)
{
	void (*flush)(void);

	warm_a(w);
	*(void **)(void *)&flush = text_symbol("cpu_cache_flush_own");
	flush();
}

ONE(many_a, fill(w, 0, 300, CLASS_A))
ONE(free_many_a, step_free_many(w, 0, 66))

/* Nothing cached and no slab: the page heap must give units. */
ONE(purged, load_purge())
ONE(malloc_b, step_malloc(w, 300, CLASS_B))
ONE(malloc_c, step_malloc(w, 300, CLASS_C))

/* Slabs that are nearly empty: the frees empty them, the lists are swept, the
 * slabs go back. */
static void many_c(struct worker *w)
{
	fill(w, 0, 120, CLASS_C);
	empty(w, 24, 96);
}

ONE(release_slabs, step_free_many(w, 0, 24))
ONE(burst_malloc, step_malloc_many(w, 0, 4, 200))
ONE(have_burst, fill(w, 0, 30, 200))
ONE(burst_free, step_free_many(w, 0, 8))

/* Classes that take each other's capacity. */
static void capacity(struct worker *w)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		fill(w, 20 * i, 20, (size_t)1 << (8 + i));
	for (i = 0; i < 6; i++)
		empty(w, 20 * i, 20);
}

ONE(malloc_2k, step_malloc_many(w, 200, 8, 2000))

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

ONE(free_foreign, step_free_many(w, 0, 16))

/* The other CPU's slabs have free objects: they are adopted. */
static void foreign_free_slabs(struct worker *w)
{
	unsigned i;

	foreign_slabs(w);
	for (i = 0; i < 150; i += 3)
		slot_free(w, slot(w, i));
}

ONE(steal, step_malloc_many(w, 200, 8, CLASS_C))

/* ---- large blocks ---- */

/* The next slow path does a tick's work. */
static void tick_due(struct worker *w)
{
	slot_alloc(w, slot(w, 300), 600 * KIB);
	fill(w, 0, 60, 9 * KIB);
	empty(w, 10, 40);
	raw_sleep_us(3000);
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

ONE(purge, STEPPED(load_purge()))

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
ONE(reclaimer, STEPPED(names.reclaimer_start()))

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
	{ .name = "malloc hit", warm_a, malloc_a },
	{ .name = "malloc refill", before_refill, malloc_a, .own = true },
	{ .name = "malloc carve", purged, malloc_b },
	{ .name = "malloc carve 20K", purged, malloc_c },
	{ .name = "free hit", warm_a, free_a },
	{ .name = "free flush", many_a, free_many_a },
	{ .name = "4 mallocs", purged, burst_malloc },
	{ .name = "8 frees", have_burst, burst_free },
	{ .name = "slab release", many_c, release_slabs },
	{ .name = "capacity", capacity, malloc_2k, BY_CPU },
	{ .name = "free foreign", foreign_slabs, free_foreign, BY_CPU },
	{ .name = "malloc steal", foreign_free_slabs, steal, BY_CPU },
	{ .name = "malloc 600K", purged, alloc_600k },
	{ .name = "malloc 3M", purged, alloc_3m },
	{ .name = "malloc 150M", purged, alloc_150m },
	{ .name = "free 600K", have_600k, free_300 },
	{ .name = "free 3M", have_3m, free_300 },
	{ .name = "grow small", have_400, grow_small },
	{ .name = "grow in place", have_600k, grow_place },
	{ .name = "grow by moving", have_5m, grow_move },
	{ .name = "shrink", have_1500k, shrink },
	{ .name = "large to small", have_1500k, to_small },
	{ .name = "aligned 4K", purged, aligned_page },
	{ .name = "aligned 64K", purged, aligned_unit },
	{ .name = "aligned 8M", purged, aligned_vast },
	{ .name = "calloc", warm_a, calloc_small },
	{ .name = "calloc 700K", dirty_600k, calloc_large },
	{ .name = "tick", tick_due, free_300, TICKS },
	{ .name = "purge", some_garbage, purge },
	{ .name = "statistics", some_garbage, statistics, .own = true },
	{ .name = "gate", warm_a, gate, .own = true, .may_shut = true },
	{ .name = "thread end", warm_a, thread_end, .thread = true },
	{ .name = "first call", NULL, first_calls, COLD },
	{ .name = "first call, direct", NULL, first_calls, "reclaimer=0,rseq=0",
	  .may_shut = true },
	{ .name = "first reclaimer", NULL, reclaimer, "reclaimer=1",
	  .own = true },
	{ 0 },
};

bool op_is_known(const struct op *op)
{
	return names.stats || (!op->own && !op->conf);
}
