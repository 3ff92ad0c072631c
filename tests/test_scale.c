/* What grows with the number of ids, and that it does not grow faster
 *
 *	test_scale [--table]
 *
 * The thread says itself which id it has, by an area that the kernel does not
 * know. Each id allocates and frees as many blocks; after 2, 64 and 256 ids
 * (with --table 4096 too) the library's own memory, what is cached, and what a
 * drain costs must be at most so much an id. --table prints docs/scale.md's. */
#include "heap_fixture.h"
#include "../stress/harness/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include "cpucache/capacity.c"
#include "cpucache/cpu_cache.h"
#include "slab/slab.h"

static uint64_t nr_gives, nr_takes, nr_opens;

static struct slab_gift counted_give(void *const *objects, unsigned n)
{
	nr_gives++;
	return slab_give(objects, n);
}

static unsigned counted_take(struct span *slab, void **out, unsigned most)
{
	nr_takes++;
	return slab_take(slab, out, most);
}

static struct span *counted_open(unsigned size_class, unsigned owner)
{
	nr_opens++;
	return slab_open(size_class, owner);
}

#define slab_give counted_give
#define slab_take counted_take
#define slab_open counted_open
#include "slab/bin.c"
#undef slab_give
#undef slab_take
#undef slab_open

#define NR_BLOCKS 32
#define KIB ((size_t)1 << 10)

static const size_t sizes[] = { 16, 64, 200, 1000, 5000 };
#define NR_SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define NR_USES (NR_BLOCKS * NR_SIZES)

/* What an id may take, of each kind, and all of them together besides: heaps
 * grow by steps. */
#define MAPPED_MOST (8 * MIB)
#define METADATA_MOST (16 * KIB)
#define RESIDENT_MOST (512 * KIB)
#define STEP (32 * MIB)
#define METADATA_STEP (128 * KIB)

#define NR_OTHERS 16
#define NR_OTHERS_BLOCKS 256
#define NR_HANDED 512 /* blocks of 64 bytes in one round */
#define NR_ROUNDS 8
#define NR_PAIRS_MOST 128

/* Lines that move for a block. */
#define PARTNERS_MOST 0.1
#define ANYONES_MOST 2.5

static __thread struct rseq_area own_area;

struct state {
	unsigned nr_ids;
	uint64_t mapped, resident, faults;
	struct lanemalloc_stats stats;
};

static void be_id(unsigned id)
{
	*(volatile uint32_t *)&own_area.mm_cid = id;
}

static int start(void **state)
{
	intptr_t area = (char *)&own_area - percpu_thread_pointer();
	int failed = heap_setup_pinned(state);

	anchor.rseq_cs = area + (intptr_t)offsetof(struct rseq_area, rseq_cs);
	anchor.id = area + (intptr_t)offsetof(struct rseq_area, mm_cid);
	be_id(0);
	return failed;
}

static void state_memory(struct state *s)
{
	struct memory_size size = memory_now();
	struct rusage usage;

	assert_true(size.resident > 0);
	s->mapped = size.mapped;
	s->resident = size.resident;
	getrusage(RUSAGE_SELF, &usage);
	s->faults = (uint64_t)usage.ru_minflt;
}

static struct state state_now(unsigned nr_ids)
{
	struct state s = { .nr_ids = nr_ids };

	state_memory(&s);
	s.stats = stats_now();
	return s;
}

static void work(void)
{
	void *blocks[NR_USES];

	for (unsigned i = 0; i < NR_USES; i++) {
		blocks[i] = block_alloc(sizes[i % NR_SIZES]);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, sizes[i % NR_SIZES]);
	}
	for (unsigned i = 0; i < NR_USES; i++)
		heap_free(blocks[i]);
}

static void blocks_take(void **blocks, unsigned n, size_t size)
{
	while (n)
		blocks[--n] = block_alloc(size);
}

static void blocks_give(void **blocks, unsigned n)
{
	while (n)
		heap_free(blocks[--n]);
}

static void ids_work(unsigned first, unsigned end)
{
	for (; first < end; first++) {
		be_id(first);
		work();
	}
}

static uint64_t per_id(uint64_t before, uint64_t after, unsigned n)
{
	return after > before ? (after - before) / n : 0;
}

static void table_head(void)
{
	printf("| ids | mapped an id | resident an id | metadata an id | "
	       "cached an id | slabs an id | steals | fences of a drain | "
	       "page faults of it | metadata after it | "
	       "faults of a second tick |\n"
	       "|---|---|---|---|---|---|---|---|---|---|---|\n");
}

#define K(field) (double)per_id(a->field, b->field, n) / KIB

static void table_row(const struct state *a, const struct state *b,
		      const struct state *c, const struct state *d,
		      unsigned fences)
{
	unsigned n = b->nr_ids - a->nr_ids;

	printf("| %u | %.0f KiB | %.1f KiB | %.1f KiB | %.1f KiB | %.1f | "
	       "%llu | %u | %llu | %.1f KiB | %llu |\n",
	       b->nr_ids, K(mapped), K(resident), K(stats.metadata_size),
	       (double)b->stats.cached_size / b->nr_ids / KIB,
	       (double)b->stats.nr_slabs / b->nr_ids,
	       (unsigned long long)b->stats.nr_steals, fences,
	       (unsigned long long)(c->faults - b->faults),
	       (double)c->stats.metadata_size / KIB,
	       (unsigned long long)(d->faults - c->faults));
}

/* What n more ids take. */
static void state_check(const struct state *a, const struct state *b)
{
	uint64_t n = b->nr_ids - a->nr_ids;

	assert_int_equal(b->stats.nr_cpu_caches, b->nr_ids);
	assert_true(b->mapped <= a->mapped + n * MAPPED_MOST + STEP);
	assert_true(b->resident <= a->resident + n * RESIDENT_MOST + STEP);
	assert_true(b->stats.metadata_size <= a->stats.metadata_size +
						       n * METADATA_MOST +
						       METADATA_STEP);
	assert_true(b->stats.cached_size / b->nr_ids <= config.cpu_cache);
}

static bool table;

/* The ids from the last state on work, and everything is drained. */
static struct state grow(struct state before, unsigned nr_ids)
{
	struct state after, drained, again;
	unsigned fences;

	ids_work(before.nr_ids, nr_ids);
	after = state_now(nr_ids);
	state_check(&before, &after);
	fences = fake_calls(FAKE_FENCE);
	assert_true(drain_caches(rseq_self(), false));
	fences = fake_calls(FAKE_FENCE) - fences;
	assert_true(fences <= nr_ids);
	bin_collect_all((unsigned)-1 >> 1, COLLECT_AGE_NEVER);
	drained = state_now(nr_ids);
	assert_int_equal(drained.stats.cached_size, 0);
	assert_int_equal(drained.stats.nr_slabs, 0);
	assert_false(drain_finds_any());
	again = state_now(nr_ids);
	if (table)
		table_row(&before, &after, &drained, &again, fences);
	return after;
}

TEST_WHERE(can_drain(), test_growth)
{
	static const unsigned steps[] = { 2, 64, 256, 4096 };
	struct state s;

	ids_work(0, 1);
	s = state_now(1);
	if (table)
		table_head();
	for (unsigned i = 0; i < (table ? 4 : 3); i++)
		s = grow(s, steps[i]);
	all_is_free();
}

/* Phases that would nearly fill cpu_cache in each id. */
#define NR_HOG 900
#define NR_HOG_SIZES 5
static const size_t hog_sizes[] = { 256, 512, 1024, 2048, 4096 };

static uint64_t hog(unsigned id, unsigned rounds)
{
	static void *blocks[NR_HOG_SIZES][NR_HOG];
	uint64_t nr = stats_now().nr_refills;

	be_id(id);
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < NR_HOG_SIZES; k++)
			blocks_take(blocks[k], NR_HOG, hog_sizes[k]);
		for (unsigned k = 0; k < NR_HOG_SIZES; k++)
			blocks_give(blocks[k], NR_HOG);
	}
	return stats_now().nr_refills - nr;
}

/* All together hold what one may, or an eighth of the heap. */
static void hogs(unsigned nr_cpus, unsigned n, size_t live)
{
	void *held = live ? block_alloc(live) : NULL;
	uint64_t most, first, last = 0;

	rseq_state.nr_cpus = nr_cpus;
	first = hog(0, NR_ROUNDS);
	for (unsigned id = 1; id < n; id++)
		last = hog(id, NR_ROUNDS);
	most = max_size(all_least(), claimed_size() / 8) + n * OWN_LEAST;
	assert_true(stats_now().cached_size <= most);
	assert_true(stats_now().cached_size > config.cpu_cache / 8);
	if (table)
		printf("| %u | %u | %zu MiB | %.1f MiB | %.1f | %.1f |\n",
		       nr_cpus, n, live / MIB,
		       (double)stats_now().cached_size / MIB,
		       (double)first / NR_ROUNDS, (double)last / NR_ROUNDS);
	heap_free(held);
	drain_caches(rseq_self(), false);
	assert_int_equal(load_relaxed(&pool_taken), 0); // own
}

TEST_WHERE(can_drain(), test_caches_in_proportion)
{
	uint32_t nr_cpus = rseq_state.nr_cpus;

	if (table)
		printf("| CPUs | ids | live | cached | refills a round, "
		       "first id | last id |\n|---|---|---|---|---|---|\n");
	drain_caches(rseq_self(), false);
	hogs(1, 1, 0);
	hogs(2, 2, 0);
	hogs(16, 1, 0);
	hogs(16, 16, 0);
	hogs(256, 1, 0);
	hogs(256, 256, 0);
	hogs(256, 256, 1024 * MIB);
	rseq_state.nr_cpus = nr_cpus;
	all_is_free();
}

/* Without a pool most misses leave the lanes as they are: all of them would
 * look at SHRINK_TRIES others. */
TEST_WHERE(can_drain(), test_poor_ids_move_little)
{
	struct lanemalloc_stats before, after;
	uint32_t looks;
	unsigned id;

	drain_caches(rseq_self(), false);
	for (id = 0; id < NR_OTHERS; id++)
		hog(id, NR_ROUNDS);
	before = stats_now();
	looks = load_relaxed(&cpu_caches[id].shrink_next); // own
	hog(id, NR_ROUNDS);
	after = stats_now();
	looks = load_relaxed(&cpu_caches[id].shrink_next) - looks; // own
	assert_true(looks > 0);
	assert_true(2 * (uint64_t)looks <
		    SHRINK_TRIES * (after.nr_refills - before.nr_refills +
				    after.nr_flushes - before.nr_flushes));
	drain_caches(rseq_self(), false);
	all_is_free();
}

/* A take looks at the 16 ids behind its own. What it does not get of them is
 * the slab that each takes from next, so no more than those are opened. */
TEST_WHERE(can_drain(), test_others_slabs_are_used)
{
	static void *blocks[NR_OTHERS][NR_OTHERS_BLOCKS];
	uint64_t nr_slabs, nr_steals;

	for (unsigned id = 0; id < NR_OTHERS; id++) {
		be_id(1 + id);
		blocks_take(blocks[id], NR_OTHERS_BLOCKS, 1024);
	}
	nr_slabs = stats_now().nr_slabs;
	for (unsigned id = 0; id < NR_OTHERS; id++)
		for (unsigned i = 0; i < NR_OTHERS_BLOCKS; i++)
			if (i % 16) {
				heap_free(blocks[id][i]);
	}
	drain_caches(rseq_self(), false);
	nr_steals = stats_now().nr_steals;
	be_id(0);
	for (unsigned id = 0; id < NR_OTHERS; id++)
		for (unsigned i = 0; i < NR_OTHERS_BLOCKS; i++)
			if (i % 16)
				blocks[id][i] = block_alloc(1024);
	assert_true(stats_now().nr_slabs <= nr_slabs + NR_OTHERS + 1);
	assert_true(stats_now().nr_steals > nr_steals);
	for (unsigned id = 0; id < NR_OTHERS; id++)
		blocks_give(blocks[id], NR_OTHERS_BLOCKS);
	all_is_free();
}

/* Ids 0..n-1 allocate and the n behind them free. What moves from cache to
 * cache, but for the block itself: of a give and of a take the slab's bits and
 * its span; of a slab that is sent home, the inbox (twice) and its span; of a
 * stolen one the other's list, the span, and the tag; of a new one the words
 * of the page heap, the span and the tag. */
static uint64_t lines_moved(const struct lanemalloc_stats *before,
			    const struct lanemalloc_stats *after)
{
	return 2 * nr_gives + 2 * nr_takes + 4 * nr_opens +
	       3 * (after->nr_remote_slabs - before->nr_remote_slabs) +
	       3 * (after->nr_steals - before->nr_steals);
}

enum whose { PARTNERS, ANYONES };

/* Each one's own blocks, or those of all producers in turn. */
static void consume(unsigned n, enum whose whose,
		    void *(*blocks)[NR_HANDED])
{
	unsigned id, i, from;

	for (id = 0; id < n; id++) {
		be_id(n + id);
		for (i = 0; i < NR_HANDED; i++) {
			from = whose == PARTNERS ? id : (id + i) % n;
			heap_free(blocks[from][i]);
		}
	}
}

static void hand_over(unsigned n, enum whose whose, unsigned rounds)
{
	static void *blocks[NR_PAIRS_MOST][NR_HANDED];

	while (rounds--) {
		for (unsigned id = 0; id < n; id++) {
			be_id(id);
			blocks_take(blocks[id], NR_HANDED, 64);
		}
		consume(n, whose, blocks);
	}
}

static void transfers_row(unsigned n, enum whose whose, double lines,
			  double nr_sent, double nr_stolen)
{
	double nr = (double)n * NR_HANDED * NR_ROUNDS;

	if (table)
		printf("| %u | %s | %.3f | %.3f | %.3f | %.4f | %.4f |\n", n,
		       whose == PARTNERS ? "one" : "all", lines / nr,
		       (double)nr_gives / nr, (double)nr_takes / nr,
		       nr_sent / nr, nr_stolen / nr);
}

/* Lines a block, in the long run. */
static double transfers(unsigned n, enum whose whose)
{
	struct lanemalloc_stats before, after;
	double lines;

	hand_over(n, whose, NR_ROUNDS);
	before = stats_now();
	nr_gives = nr_takes = nr_opens = 0;
	hand_over(n, whose, NR_ROUNDS);
	after = stats_now();
	lines = (double)lines_moved(&before, &after);
	transfers_row(n, whose, lines,
		      (double)(after.nr_remote_slabs - before.nr_remote_slabs),
		      (double)(after.nr_steals - before.nr_steals));
	return lines / ((double)n * NR_HANDED * NR_ROUNDS);
}

TEST_WHERE(can_drain(), test_transfers)
{
	static const unsigned pairs[] = { 1, 2, 8, 32, 128 };

	if (table)
		printf("| pairs | frees the blocks of | lines a block | "
		       "gives | takes | slabs sent | steals |\n"
		       "|---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(transfers(pairs[i], PARTNERS) <= PARTNERS_MOST);
		assert_true(transfers(pairs[i], ANYONES) <= ANYONES_MOST);
	}
	all_is_free();
}

int main(int argc, char **argv)
{
	table = argc > 1 && !strcmp(argv[1], "--table");
	return tests_run(start, NULL);
}
