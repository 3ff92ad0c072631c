/* load: what the threads do, in numbered steps; it reaches all layers and is
 * bounded by counts. Also what a victim does in the handler and in a fork's
 * child.
 *
 * A block in a slot is the worker's. Before a block goes back it moves from
 * its slot to the worker's hand, so that a victim's blocks are never freed
 * twice, and those in its hand are known to be in doubt.
 */
#include "sweep.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../harness/cpus.h"
#include "../harness/random.h"
#include "../harness/raw.h"
#include "load.h"
#include "names.h"

struct worker workers[NR_THREADS];
_Atomic(bool) late_worker_runs;
const struct load_parts *load_parts;

static _Atomic(struct block *) boxes[NR_BOXES];

size_t load_below(struct worker *w, size_t n)
{
	return random_next(&w->random) % n;
}

/* Each power of two about as likely as the others; least a power of two. */
static size_t random_size(struct worker *w, size_t least, size_t most)
{
	size_t size = least;

	while (size * 2 <= most && load_below(w, 8))
		size *= 2;
	return size + load_below(w, size);
}

/* ---- one block in and out ---- */

bool slot_fill(struct worker *w, struct block *slot, void *at, size_t size)
{
	struct block b = { at, size ? size : 1, (uint32_t)load_below(w, 256) };

	w->hand[0] = (struct block){ 0 };
	if (!at)
		return false;
	ledger_add(&b);
	*slot = b;
	return true;
}

/* The next allocation is of that size. */
void expect(struct worker *w, size_t size)
{
	w->hand[0] = (struct block){ NULL, size, 0 };
}

void *let_go(struct worker *w, struct block *slot)
{
	struct block b = *slot;

	ledger_remove(&b);
	w->hand[0] = b;
	*slot = (struct block){ 0 };
	return b.at;
}

void slot_alloc(struct worker *w, struct block *slot, size_t size)
{
	expect(w, size);
	slot_fill(w, slot, malloc(size), size);
}

void slot_free(struct worker *w, struct block *slot)
{
	if (!slot->at)
		return;
	free(let_go(w, slot));
	w->hand[0] = (struct block){ 0 };
}

static void slot_toggle(struct worker *w, size_t size)
{
	struct block *slot = &w->slots[load_below(w, NR_SLOTS)];

	if (slot->at)
		slot_free(w, slot);
	else
		slot_alloc(w, slot, size);
}

/* An empty slot; makes one. */
struct block *slot_empty(struct worker *w)
{
	struct block *slot = &w->slots[load_below(w, NR_SLOTS)];

	slot_free(w, slot);
	return slot;
}

static void do_calloc(struct worker *w, size_t size)
{
	struct block *slot = slot_empty(w);
	unsigned char *at;
	size_t i;

	expect(w, size);
	at = calloc(size, 1);
	for (i = 0; at && i < size; i += i < 256 ? 1 : 61)
		if (at[i])
			child_fail(UNSOUND, "calloc's memory is not zero");
	slot_fill(w, slot, at, size);
}

static void do_realloc(struct worker *w, size_t size)
{
	struct block *slot = &w->slots[load_below(w, NR_SLOTS)], old = *slot;
	unsigned char *at;
	size_t same, i;

	if (!old.at) {
		slot_alloc(w, slot, size);
		return;
	}
	same = old.size < size ? old.size : size;
	unsigned char first = old.at[0],
		      last = same < 100 ? old.at[same - 1] : old.at[99];
	let_go(w, slot);
	w->hand[1] = (struct block){ NULL, size, 0 };
	at = realloc(old.at, size);
	w->hand[1] = (struct block){ 0 };
	i = same < 100 ? same - 1 : 99;
	if (at && (at[0] != first || at[i] != last))
		child_fail(UNSOUND, "realloc lost the contents");
	slot_fill(w, slot, at ? at : old.at, at ? size : old.size);
}

static void do_aligned(struct worker *w)
{
	struct block *slot = slot_empty(w);
	size_t align = (size_t)16 << load_below(w, load_below(w, 8) ? 9 : 18);
	size_t size =
		random_size(w, 8, load_below(w, 8) ? 16 * KIB : 256 * KIB);
	void *at = NULL;

	expect(w, size > align ? size : align);
	switch (load_below(w, 3)) {
	case 0:
		at = memalign(align, size);
		break;
	case 1:
		at = aligned_alloc(align, size);
		break;
	default:
		if (posix_memalign(&at, align, size))
			at = NULL;
	}
	if ((uintptr_t)at & (align - 1))
		child_fail(UNSOUND, "an aligned block is not aligned");
	if (at && malloc_usable_size(at) < size)
		child_fail(UNSOUND, "a usable size is too small");
	slot_fill(w, slot, at, size);
}

/* Where memory is short a form that returns NULL asks the loader for the new
 * handler, too: of its lock only one thread may stop. */
static void do_operator(struct worker *w)
{
	struct operator_pair *o = &operators[load_below(w, NR_OPERATORS)];
	size_t size = random_size(w, 8, 2 * KIB);
	struct block one = { 0 };

	if (!o->new_found || (w->no_throw && (w->index || !o->new_nothrow)))
		return;
	expect(w, size);
	if (!slot_fill(w, &one, names_new(o, size, 64), size))
		return;
	let_go(w, &one);
	names_delete(o, w->hand[0].at, size, 64);
	w->hand[0] = (struct block){ 0 };
}

static void do_free_sized(struct worker *w)
{
	struct block *slot = &w->slots[load_below(w, NR_SLOTS)];
	size_t size = slot->size;

	if (!slot->at || !names.free_sized)
		return;
	let_go(w, slot);
	if (load_below(w, 2))
		names.free_sized(w->hand[0].at, size);
	else
		names.free_aligned_sized(w->hand[0].at, 16, size);
	w->hand[0] = (struct block){ 0 };
}

/* Many of a size, then none: refills, limits, flushes, slabs that empty. */
void do_burst(struct worker *w, size_t size, unsigned most)
{
	unsigned from = (unsigned)load_below(w, NR_SLOTS), i;

	for (i = 0; i < most; i++) {
		struct block *slot = &w->slots[(from + i) % NR_SLOTS];

		slot_free(w, slot);
		slot_alloc(w, slot, size);
	}
	for (i = 0; i < most; i++)
		slot_free(w, &w->slots[(from + i) % NR_SLOTS]);
}

/* ---- blocks for others: their first bytes say what they are ---- */

static void box_put(struct worker *w, size_t size)
{
	struct block *slot = slot_empty(w), b, *other;

	slot_alloc(w, slot, size + sizeof(b));
	if (!slot->at)
		return;
	b = *slot;
	memcpy(b.at, &b, sizeof(b));
	*slot = (struct block){ 0 };
	other = atomic_exchange(&boxes[load_below(w, NR_BOXES)],
				(struct block *)(void *)b.at);
	if (!other)
		return;
	b = *other;
	if (b.at != (void *)other)
		child_fail(UNSOUND, "a block on its way was overwritten");
	memset(b.at, 0, sizeof(b));
	*slot = b;
	/* The pattern anew, as its head was used. */
	ledger_rewrite(slot);
	slot_free(w, slot);
}

static void boxes_empty(struct worker *w)
{
	unsigned i;

	for (i = 0; i < NR_BOXES; i++) {
		struct block *b = atomic_exchange(&boxes[i], NULL);
		struct block slot;

		if (!b)
			continue;
		slot = *b;
		if (slot.at != (void *)b)
			child_fail(UNSOUND, "a block on its way was lost");
		ledger_rewrite(&slot);
		slot_free(w, &slot);
	}
}

void load_purge(void)
{
	if (names.purge)
		names.purge();
	else
		malloc_trim(0);
}

/* ---- slabs that come back: full ones of one id, of which another id frees
 * an object each ---- */

struct returned {
	size_t size;
	unsigned nr;
	unsigned stride; /* of what goes first: no slab is emptied */
};

/* 8 objects in a slab, which wait in the lane; and 2, which go at once, and
 * more slabs than an inbox takes. */
static const struct returned returned[] = {
	{ 12 * KIB, 96, 5 },
	{ 48 * KIB, 80, 2 },
};

static cpu_set_t all_cpus;

static void cpus_find(void)
{
	if (sched_getaffinity(0, sizeof(all_cpus), &all_cpus))
		CPU_ZERO(&all_cpus);
}

/* The n-th CPU, in turn. Where there is one CPU only, or the system refuses,
 * the thread stays. */
static void cpu_go_to(unsigned n)
{
	if (CPU_COUNT(&all_cpus) > 1)
		cpus_go(0, &all_cpus, n);
}

static void cpu_go_anywhere(void)
{
	if (CPU_COUNT(&all_cpus))
		sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
}

static void return_some(struct worker *w, const struct returned *r,
			unsigned first)
{
	unsigned i;

	for (i = first; i < r->nr; i += r->stride)
		slot_free(w, &w->slots[i]);
}

static void return_all(struct worker *w, const struct returned *r)
{
	unsigned i;

	for (i = 0; i < r->stride; i++)
		return_some(w, r, i);
}

static void return_fill(struct worker *w, const struct returned *r)
{
	unsigned i;

	return_all(w, r);
	for (i = 0; i < r->nr; i++)
		slot_alloc(w, &w->slots[i], r->size);
}

/* The old name, with a block of another CPU. */
static void do_cfree(unsigned home, size_t size)
{
	void *at;

	cpu_go_to(home);
	at = malloc(size);
	cpu_go_to(home + 1);
	if (names.cfree)
		names.cfree(at);
	else
		free(at);
}

/* At home the inbox is found by who allocates; before that, the second time,
 * by a purge, which also sends what waits in the other id's lane. */
static void do_return(struct worker *w, const struct returned *r)
{
	unsigned home = (unsigned)load_below(w, 64), i;

	for (i = 0; i < 2; i++) {
		cpu_go_to(home);
		return_fill(w, r);
		cpu_go_to(home + 1);
		return_some(w, r, 0);
		if (i)
			load_purge();
	}
	return_all(w, r);
	do_cfree(home, 40);
	do_cfree(home, 400);
	cpu_go_anywhere();
}

/* ---- the workers ---- */

static void do_common(struct worker *w)
{
	unsigned r = (unsigned)load_below(w, 64);

	if (r < 30)
		slot_toggle(w, random_size(w, 8, 2 * KIB));
	else if (r < 36)
		slot_toggle(w, random_size(w, 256, 32 * KIB));
	else if (r < 39)
		do_calloc(w, random_size(w, 8, 2 * KIB));
	else if (r < 44)
		do_realloc(w, random_size(w, 8, 8 * KIB));
	else if (r < 47)
		do_aligned(w);
	else if (r < 55)
		box_put(w, random_size(w, 32, 2 * KIB));
	else if (r < 57)
		do_operator(w);
	else if (r < 59)
		do_free_sized(w);
	else if (r < 60)
		do_burst(w, random_size(w, 8, 1 * KIB), 70);
	else if (r < 61)
		do_realloc(w, random_size(w, 16 * KIB, 300 * KIB));
	else if (r < 62)
		slot_toggle(w, random_size(w, 32 * KIB, 500 * KIB));
	else if (r < 63)
		do_calloc(w, random_size(w, 32 * KIB, 100 * KIB));
	else
		slot_toggle(w, 16 * (1 + load_below(w, 2048)));
}

void load_helper_wait(struct worker *w)
{
	atomic_store(&w->helper_wait, WAITS);
}

void load_helper_came(struct worker *w)
{
	int waits = WAITS;

	if (!atomic_compare_exchange_strong(&w->helper_wait, &waits, WAITS_NOT))
		fate_sleep();
}

static void worker_step(struct worker *w)
{
	unsigned every = w->nr_steps / (NR_SELDOM + 1);
	unsigned phase = w->index * every / NR_WORKERS;
	unsigned half = w->nr_steps / 2;

	if (w->index == 0 && load_parts->first)
		load_parts->first(w);
	if (w->linger && w->index == 1 && w->step == w->nr_steps / 2)
		raw_sleep_us(150000);
	if (w->step % every == phase)
		load_parts->seldom[(w->step / every + w->index * 5) %
				   NR_SELDOM](w);
	else if (w->no_throw && w->index == 1 &&
		 w->step % (half / 2) == half / 2 - 5)
		load_parts->exhaust(w);
	else if (w->step % half == phase + 1)
		do_return(w, &returned[w->step / half % 2]);
	else
		do_common(w);
}

void *load_run(void *arg)
{
	struct worker *w = arg;

	atomic_store(&cell->tids[w->place], (int)raw_0(SYS_gettid));
	child_wait_for_start();
	if (w->place >= NR_WORKERS)
		child_wait_for_call(w);
	sigsetjmp(w->jump, 1);
	while (w->step < w->nr_steps) {
		w->step++;
		if (w->index)
			stop_again();
		worker_step(w);
		atomic_fetch_add(&cell->progress, 1);
		atomic_store(&cell->works[w->place], w->step);
	}
	atomic_store(&w->done, true);
	child_wake();
	for (;;)
		raw_0(SYS_pause);
}

static void went_on(void)
{
	if (cell)
		atomic_fetch_add(&cell->progress, 1);
}

void load_in_handler(struct worker *w)
{
	struct worker own = { .random = w->random + 1,
			      .index = 1,
			      .nr_steps = 1000,
			      .no_throw = true };
	unsigned i;

	for (i = 0; i < 1000; i++) {
		slot_toggle(&own, random_size(&own, 8, 4 * KIB));
		went_on();
	}
	for (i = 0; i < NR_SLOTS; i++)
		slot_free(&own, &own.slots[i]);
}

static void *child_thread(void *arg)
{
	struct worker own = { .random = 5, .index = 2 };
	unsigned i;

	for (i = 0; i < 100; i++)
		slot_toggle(&own, random_size(&own, 8, 2 * KIB));
	went_on();
	return arg;
}

/* Where the library was set back, it has forgotten libc's pthread_create and
 * asks the loader, whose lock another thread may have held in the fork. No
 * program meets that: it has its threads from pthread_create. */
static bool knows_libc(void)
{
	return workers[1].foreign || atomic_load(&late_worker_runs);
}

_Noreturn void load_in_child(void)
{
	struct worker own = { .random = 9, .index = 1, .no_throw = true };
	pthread_t thread;
	unsigned i;

	for (i = 0; i < 200; i++) {
		slot_toggle(&own, random_size(&own, 8, 40 * KIB));
		went_on();
	}
	if (knows_libc() && !pthread_create(&thread, NULL, child_thread, NULL))
		pthread_join(thread, NULL);
	for (i = 0; i < NR_SLOTS; i++)
		slot_free(&own, &own.slots[i]);
	_exit(0);
}

void load_free_all(void)
{
	struct worker own = { .random = 3 };
	unsigned i, k;

	for (i = 0; i < NR_THREADS; i++)
		for (k = 0; k < NR_SLOTS; k++) {
			slot_free(&own, &workers[i].slots[k]);
			atomic_fetch_add(&cell->progress, 1);
		}
	boxes_empty(&own);
}

bool load_live_size(uint64_t *live_size)
{
	struct lanemalloc_stats s;

	if (!names.stats)
		return false;
	names.stats(&s, sizeof(s));
	*live_size = s.live_size;
	return true;
}

/* In the server, alone: a heap that is in use. What stays is the children's
 * too, with its bits in the shadow. */
static struct worker warm;

void load_warm_up(const struct load_parts *parts)
{
	pthread_t thread;
	unsigned i;

	cpus_find();
	names_find();
	ledger_start();
	load_parts = parts;
	if (!pthread_create(&thread, NULL, child_thread, NULL))
		pthread_join(thread, NULL);
	warm = (struct worker){ .random = 77, .index = 2, .nr_steps = 3000 };
	for (i = 0; i < 3000; i++) {
		warm.step++;
		worker_step(&warm);
	}
	for (i = NR_SLOTS / 4; i < NR_SLOTS; i++)
		slot_free(&warm, &warm.slots[i]);
	boxes_empty(&warm);
	load_purge();
}

void load_verify_warm(void)
{
	unsigned i;

	for (i = 0; i < NR_SLOTS; i++)
		if (warm.slots[i].at)
			ledger_verify(&warm.slots[i]);
}
