/* load: what the threads of a cell do
 *
 * Everything that goes through the library at once: small blocks of all
 * sizes, pairs that hit, bursts that fill and empty slabs, large blocks,
 * hand-over, short-lived threads, vfork, fork, purges, statistics; and
 * handlers that allocate in the middle of it. Each block has its pattern and
 * its place in the shadow (tests/storm_block.h).
 */
#include "storm.h"

#include <sched.h>
#include <signal.h>

#include "cell.h"
#include "lanemalloc.h"
#include "load.h"
#include "perturb.h"
#include "rounds.h"

#define SLOTS_MOST 256
#define BURST 160
#define GROWTH 700 /* blocks: beyond 32 slabs of each size below */
#define DEPTH_MOST 4
#define HANDLER_SLOTS 4

/* A handler's blocks outlive it: another one frees them. Each depth of
 * nesting has its own. */
struct worker {
	struct rng rng, handler_rng;
	uint64_t owner;
	unsigned nr_slots, depth;
	struct block slots[SLOTS_MOST];
	struct block hands[DEPTH_MOST][HANDLER_SLOTS];
};

/* Blocks that everybody swaps for others: their slabs are full, or nearly so,
 * all the time, and are given to and left at once. */
#define NR_CONTENDED 4
#define CONTENDED_SLOTS 192
#define CONTENDED_CHECKED ((size_t)128) /* of the block, from its start */
static const size_t contended_sizes[NR_CONTENDED] = { 32768, 24576, 7168,
						      1024 };
static _Atomic(void *) contended[NR_CONTENDED][CONTENDED_SLOTS];

static struct ring rings[2];
static struct worker *workers;
static __thread struct worker *self;

/* hard_limit: rounds_hard_limit, as the call began. */
static bool got_or_limited(bool success, uint64_t hard_limit)
{
	if (!success && !cell_memory_is_short() && hard_limit % 2 == 0 &&
	    atomic_load(&rounds_hard_limit) == hard_limit)
		storm_fail("no memory");
	return success;
}

#define got(call)                                                       \
	({                                                              \
		uint64_t hard_limit_ = atomic_load(&rounds_hard_limit); \
                                                                        \
		got_or_limited(call, hard_limit_);                      \
	})

/* ---- handlers ---- */

static void handle_blocks(struct worker *w, struct block *blocks)
{
	struct block *b = &blocks[rng_below(&w->handler_rng, HANDLER_SLOTS)];
	struct block both = { 0 };

	if (block_malloc(&both, rng_size(&w->handler_rng, 2048), w->owner))
		block_free(&both);
	if (b->at)
		block_free(b);
	else
		block_malloc(b, rng_size(&w->handler_rng, 32 * KIB), w->owner);
}

/* In a section of the library the thread can do nothing but trap. */
static void handle_trap(struct worker *w)
{
	static const enum perturb_kind kinds[] = {
		PERTURB_yield,	     PERTURB_nap,
		PERTURB_signal_self, PERTURB_signal_other,
		PERTURB_move,	     PERTURB_delay,
	};
	uint64_t random = rng_next(&w->handler_rng);

	perturb_do(kinds[random % 6], random >> 8);
}

static void on_signal(int number)
{
	int saved = errno;
	struct worker *w = self;
	bool allowed;

	if (!w || w->depth >= DEPTH_MOST)
		return;
	allowed = number == SIGTRAP && perturb_trap_allow(false);
	if (number == SIGTRAP)
		handle_trap(w);
	if (number != SIGTRAP || rng_below(&w->handler_rng, 2))
		handle_blocks(w, w->hands[w->depth++]), w->depth--;
	if (number == SIGTRAP)
		perturb_trap_allow(allowed || self);
	errno = saved;
}

/* A trap is never blocked, or it would kill: another signal may come between
 * a trap and its handler's first step. */
static void handlers_install(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };

	must(!sigaction(SIGUSR1, &action, NULL));
	must(!sigaction(SIGUSR2, &action, NULL));
	action.sa_flags = SA_RESTART | SA_NODEFER;
	must(!sigaction(SIGTRAP, &action, NULL));
}

/* ---- steps ---- */

static void step_block(struct worker *w, struct block *b)
{
	size_t most = rng_below(&w->rng, 24) ? 4 * KIB : 160 * KIB;
	size_t size = rng_size(&w->rng, most);

	switch (rng_below(&w->rng, 8)) {
	case 0:
		got(block_calloc(b, size, w->owner));
		return;
	case 1:
		got(block_aligned(b, (size_t)8 << rng_below(&w->rng, 10), size,
				  w->owner));
		return;
	default:
		got(block_malloc(b, size, w->owner));
	}
}

static void step_swap(struct worker *w, struct block *b)
{
	struct ring *ring = &rings[rng_below(&w->rng, 2)];

	if (!b->at)
		return;
	if (!ring_try_put(ring, b)) {
		block_free(b);
		return;
	}
	b->at = NULL;
	if (!ring_try_get(ring, b))
		b->at = NULL;
}

static void step_live(struct worker *w)
{
	struct block *b = &w->slots[rng_below(&w->rng, w->nr_slots)];

	if (!b->at) {
		step_block(w, b);
		return;
	}
	switch (rng_below(&w->rng, 8)) {
	case 0:
		got(block_realloc(b, rng_size(&w->rng, 8 * KIB)));
		return;
	case 1:
	case 2:
		step_swap(w, b);
		return;
	default:
		block_free(b);
	}
}

/* Hits of the fast paths. */
static void step_pairs(struct worker *w)
{
	size_t size = rng_size(&w->rng, 1024);
	struct block a, b;
	unsigned i;

	for (i = 0; i < 24; i++) {
		if (got(block_malloc(&a, size, w->owner)) &&
		    got(block_malloc(&b, size, w->owner)))
			block_free(&b);
		block_free(&a);
	}
}

/* Slabs of one class fill, empty, and go back; the others compete for them,
 * and some of what they free is of our slabs. */
static void step_burst(struct worker *w)
{
	static const size_t sizes[] = { 16,   48,    256,   640,   1024,
					2048, 4096,  7168,  12288, 16384,
					24576, 32768 };
	size_t size = sizes[rng_below(&w->rng, 12)];
	unsigned n = size > 4096 ? 24 : BURST, i;
	struct block blocks[BURST];

	for (i = 0; i < n; i++)
		got(block_malloc(&blocks[i], size, w->owner));
	for (i = 0; i < n; i += 3)
		step_swap(w, &blocks[i]);
	for (i = 0; i < n; i++)
		block_free(&blocks[(i * 37 + 11) % n]);
}

/* One size grows by so many slabs that a class is made for it. */
static void step_growth(struct worker *w)
{
	static const size_t sizes[] = { 4100, 5200, 6200, 8200 };
	size_t size = sizes[rng_below(&w->rng, 4)];
	struct block blocks[GROWTH];
	unsigned n = 0;

	while (n < GROWTH && got(block_malloc(&blocks[n], size, w->owner)))
		n++;
	while (n--)
		block_free(&blocks[n]);
}

static void contended_free(void *at)
{
	struct block b = { at, CONTENDED_CHECKED, NR_CONTENDED };

	if (at)
		block_free(&b);
}

static void step_contended(struct worker *w)
{
	unsigned which = (unsigned)rng_below(&w->rng, NR_CONTENDED), i, k;
	struct block b;

	for (i = 0; i < 24; i++) {
		k = (unsigned)rng_below(&w->rng, CONTENDED_SLOTS);
		got(block_adopt(&b, malloc(contended_sizes[which]),
				CONTENDED_CHECKED, NR_CONTENDED));
		contended_free(atomic_exchange(&contended[which][k], b.at));
	}
}

static void step_large(struct worker *w)
{
	size_t size = 33 * KIB + rng_below(&w->rng, 2 * MIB);
	size_t align = (size_t)64 << (10 + rng_below(&w->rng, 6));
	struct block a = { 0 }, b = { 0 };

	if (got(block_malloc(&a, size / 4, w->owner)))
		got(block_realloc(&a, size));
	if (rng_below(&w->rng, 4) == 0)
		got(block_aligned(&b, align, size / 8, w->owner));
	if (a.at && rng_below(&w->rng, 2))
		got(block_realloc(&a, size / 2));
	if (a.at && rng_below(&w->rng, 8) == 0 &&
	    got(block_realloc(&a, 5 * MIB)))
		got(block_realloc(&a, 9 * MIB));
	block_free(&a);
	block_free(&b);
}

/* Until there is no more memory, or enough of it was taken; only where there
 * may be none. */
static void step_hog(struct worker *w)
{
	size_t size = (size_t)1 << (18 + rng_below(&w->rng, 6));
	char *blocks[64];
	unsigned n = 0;

	while (n < 64 && (blocks[n] = malloc(size))) {
		blocks[n][0] = blocks[n][size - 1] = (char)n;
		n++;
	}
	while (n--) {
		must(blocks[n][0] == (char)n && blocks[n][size - 1] == (char)n);
		free(blocks[n]);
	}
}

static void *short_lived(void *arg)
{
	struct block blocks[16];
	struct rng rng = rng_make((uintptr_t)arg);
	unsigned i;

	for (i = 0; i < 16; i++)
		got(block_malloc(&blocks[i], rng_size(&rng, 4 * KIB), i));
	for (i = 0; i < 16; i++)
		block_free(&blocks[i]);
	return NULL;
}

static void step_thread(struct worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;

	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstacksize(&attr, ROUNDS_STACK_SIZE));
	if (!pthread_create(&thread, &attr, short_lived,
			    (void *)(uintptr_t)rng_next(&w->rng)))
		must(!pthread_join(thread, NULL));
	else
		got(false);
	must(!pthread_attr_destroy(&attr));
}

static void child_work(struct worker *w)
{
	struct block blocks[40];
	unsigned i;

	for (i = 0; i < 40; i++)
		got(block_malloc(&blocks[i], rng_size(&w->rng, 6 * KIB),
				 w->owner));
	for (i = 0; i < w->nr_slots; i++)
		if (w->slots[i].at)
			block_check(&w->slots[i]);
	for (i = 0; i < 40; i++)
		block_free(&blocks[i]);
}

static void child_wait(pid_t pid)
{
	int status;

	if (pid < 0) {
		got(false);
		return;
	}
	status = storm_wait(pid);
	if (status)
		storm_fail("a child ended with status %#x", status);
}

static __attribute__((noinline)) void step_vfork(struct worker *w)
{
	pid_t pid = vfork();

	if (!pid) {
		child_work(w);
		_exit(0);
	}
	child_wait(pid);
}

/* In the child the other threads are gone, wherever they were; also the one
 * that lets the injections wander, so they are to be few. */
static void step_fork(struct worker *w)
{
	pid_t pid = fork();

	if (!pid) {
		perturb_set(cell.seed, 16 * cell.every);
		child_work(w);
		_exit(0);
	}
	child_wait(pid);
}

static void step_stats(void)
{
	struct lanemalloc_stats stats;
	struct mallinfo2 info;
	const char *why;

	must(lanemalloc_stats(&stats, sizeof(stats)));
	info = mallinfo2();
	must(info.arena);
	must(lanemalloc_mode(&why) && *why);
}

static void step(struct worker *w)
{
	size_t kind = rng_below(&w->rng, 2048);

	if (kind < 1300)
		step_live(w);
	else if (kind < 1650)
		step_pairs(w);
	else if (kind < 1800)
		step_contended(w);
	else if (kind < 1959)
		step_burst(w);
	else if (kind < 1960)
		step_growth(w);
	else if (kind < 1970 && (cell_memory_is_short() || cell.limits))
		step_hog(w);
	else if (kind < 1990)
		step_large(w);
	else if (kind < 2012)
		step_thread(w);
	else if (kind < 2022)
		lanemalloc_purge();
	else if (kind < 2026)
		malloc_trim(0);
	else if (kind < 2036)
		step_stats();
	else if (kind < 2045)
		step_vfork(w);
	else
		step_fork(w);
}

/* ---- for rounds.c ---- */

void load_mask_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	must(!pthread_sigmask(how, &set, NULL));
}

void load_worker_start(unsigned i)
{
	struct worker *w = &workers[i];

	w->owner = i;
	w->rng = rng_make(i);
	w->handler_rng = rng_make(i + 100000);
	w->nr_slots = cell.threads > 64 ? 24 : 128;
	self = w;
	perturb_thread_start();
}

void load_step(void)
{
	step(self);
}

void load_worker_end(void)
{
	struct worker *w = self;
	unsigned i, k;

	perturb_thread_end();
	load_mask_signals(SIG_BLOCK);
	self = NULL;
	for (i = 0; i < w->nr_slots; i++)
		block_free(&w->slots[i]);
	for (i = 0; i < DEPTH_MOST; i++)
		for (k = 0; k < HANDLER_SLOTS; k++)
			block_free(&w->hands[i][k]);
}

void load_start(void)
{
	storm.seed = cell.seed;
	storm.threads = cell.threads;
	workers = storm_map(cell.threads * sizeof(*workers));
	must(workers);
	ring_init(&rings[0], 64, false);
	ring_init(&rings[1], 64, true);
	if (cell.limit)
		shadow_reserve(RESERVE_MOST);
	handlers_install();
}

static uint64_t held_size(const struct block *blocks, unsigned n)
{
	uint64_t size = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		size += blocks[i].at ? inside_block_size(blocks[i].at) : 0;
	return size;
}

static uint64_t held_in_ring(const struct ring *ring)
{
	uint64_t size = 0, i;

	for (i = ring->got; i != ring->put; i++)
		size += held_size(&ring->cells[i % ring->size].block, 1);
	return size;
}

static uint64_t held_contended(void)
{
	uint64_t size = 0;
	unsigned i;
	void *at;

	for (i = 0; i < NR_CONTENDED * CONTENDED_SLOTS; i++) {
		at = atomic_load(&contended[0][i]);
		size += at ? inside_block_size(at) : 0;
	}
	return size;
}

uint64_t load_held_size(void)
{
	uint64_t size = held_in_ring(&rings[0]) + held_in_ring(&rings[1]) +
			held_contended();
	unsigned i;

	for (i = 0; i < cell.threads; i++)
		size += held_size(workers[i].slots, SLOTS_MOST) +
			held_size(workers[i].hands[0],
				  DEPTH_MOST * HANDLER_SLOTS);
	return size;
}

/* Nothing is live in the shadow any more, whose memory goes back. */
void load_end(void)
{
	struct leaf *leaf;
	size_t i, w;

	for (i = 0; i < NR_CONTENDED * CONTENDED_SLOTS; i++)
		contended_free(atomic_exchange(&contended[0][i], NULL));
	for (i = 0; i < 2; i++) {
		ring_end(&rings[i]);
	}
	for (i = 0; i < sizeof(shadow) / sizeof(*shadow); i++) {
		leaf = atomic_load(&shadow[i]);
		for (w = 0; leaf && w < LEAF_WORDS; w++)
			must(!atomic_load(&leaf->live[w]));
		if (leaf)
			must(!munmap(leaf, sizeof(*leaf)));
	}
	must(!munmap(workers, cell.threads * sizeof(*workers)));
}

_Noreturn void load_fail(const char *text, uint64_t a, uint64_t b)
{
	storm_fail("%s: %llu, %llu", text, (unsigned long long)a,
		   (unsigned long long)b);
}

uint64_t load_rss(void)
{
	return memory_now().resident;
}

void *inside_map(size_t size)
{
	void *at = storm_map(size);

	must(at);
	return at;
}

void inside_unmap(void *at, size_t size)
{
	must(!munmap(at, size));
}
