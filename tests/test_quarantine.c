/* front/quarantine.h: what threads put in comes out once, and the order of its
 * places holds whatever they do at once */
#include "heap_fixture.h"

#include "front/block.h"
#include "front/limits.h"
#include "front/pressure.h"
#include "front/relief.h"
#include "front/retire.h"
#include "front/quarantine.c"

#define NR_THREADS 4
#define NR_PUTS 500000
#define SIZE 1024

static int setup(void **state)
{
	int result = heap_setup(state);

	config.quarantine = 16 * SIZE;
	return result;
}

static _Atomic(unsigned) nr_passed;
static void *hold;

/* The tail first: none that is right then is wrong by the head's steps. */
static void look(void)
{
	uint64_t tail = load_acquire(&quarantine_shards[0].tail); // own
	uint64_t put = load_relaxed(&quarantine_shards[0].put);	  // own

	if (places_between(tail, put >> WEIGHT_BITS) < 0)
		nr_passed++;
}

static int put(void *block, struct quarantined out[QUARANTINE_OUT])
{
	struct block found;

	page_map_find(block, &found);
	return quarantine_put(0, &found, block, out);
}

static void *churn(void *arg)
{
	struct quarantined out[QUARANTINE_OUT];
	void *mine = heap_alloc(SIZE);
	int n;

	for (unsigned i = 0; i < NR_PUTS; i++) {
		n = put(mine, out);
		assert_true(n >= 0);
		look();
		while (n > 1)
			heap_free(out[--n].pointer);
		mine = n ? out[0].pointer : heap_alloc(SIZE);
		assert_non_null(mine);
	}
	heap_free(mine);
	return arg;
}

static void rings_empty(void)
{
	struct ring *rings;
	void *block;

	for (unsigned id = 0; id < ring_ids_end(); id++) {
		rings = ring_take(id);
		for (size_t i = 0; rings && ring_empty(rings, i, &block); i++)
			if (block)
				heap_free(block);
		if (rings)
			ring_give_back(id, rings);
	}
}

static void empty(void)
{
	struct quarantined out;

	for (size_t i = 0; quarantine_take(i, &out); i++)
		if (out.pointer)
			heap_free(out.pointer);
	rings_empty();
	assert_int_equal(quarantine_size(), 0);
}

/* None that comes out passes those that go in: a block put at a place that was
 * passed would wait for a whole turn. */
TEST(the_tail_never_passes_the_head, NULL, NULL)
{
	threads_run(NR_THREADS, churn);
	assert_int_equal(nr_passed, 0);
	empty();
}

/* An empty quarantine of so many bytes in each shard. */
static void renew(size_t most)
{
	empty();
	config.quarantine = most * QUARANTINE_SHARDS;
	store_relaxed(&ring, 0); // own
	memset(quarantine_shards, 0, sizeof(quarantine_shards));
}

/* The same with hardened=1, under which blocks wait as they are freed. */
static void renew_hardened(size_t most)
{
	renew(most);
	option_set(&config.hardened, 1);
}

FIXTURE(renewed)
{
	renew(16 * SIZE);
}

FIXTURE(done)
{
	heap_quarantine_flush();
	option_set(&config.hardened, 0);
	renew(16 * SIZE);
}

static void put_many(size_t size, size_t nr)
{
	struct quarantined out[QUARANTINE_OUT];

	while (nr--)
		for (int n = put(block_alloc(size), out); n > 0;)
			heap_free(out[--n].pointer);
}

/* Threads that die with a block counted leave places that are empty: what is
 * kept afterwards is what was kept before. */
TEST(the_dead_take_no_room, NULL, NULL)
{
	struct block block = { .kind = BLOCK_OBJECT, .size = SIZE };

	renew(64 * SIZE);
	put_many(SIZE, 1000);
	assert_in_range(quarantine_size(), 62 * SIZE, 66 * SIZE);
	for (unsigned i = 0; i < 300; i++)
		count_put(&quarantine_shards[0], &block);
	put_many(SIZE, 1000);
	assert_in_range(quarantine_size(), 62 * SIZE, 66 * SIZE);
}

/* Whatever the share, about so much is kept; of tiny blocks as many as there
 * are places. */
TEST(the_share_is_kept, NULL, renewed)
{
	static const size_t sizes[] = { 16, 112, 1024, 8192 };
	size_t most, near, least;

	for (unsigned k = 0; k < 4; k++)
		for (most = 64 << 10; most <= 4 << 20; most *= 8) {
			renew(most);
			near = most / 64 + 3 * sizes[k];
			put_many(sizes[k], 3 * most / sizes[k]);
			least = sizes[k] < BLOCK_USUAL ? most / 8 : most - near;
			assert_in_range(quarantine_size(), least, most + near);
		}
}

/* Blocks so small that none is ever a share behind move no tail; what comes
 * behind millions of them is kept as ever. */
TEST(the_tail_is_never_left_behind, NULL, renewed)
{
	renew(64 * SIZE);
	put_many(16, (size_t)9 << 20);
	put_many(SIZE, 3000);
	assert_in_range(quarantine_size(), 60 * SIZE, 68 * SIZE);
}

/* A share of tiny blocks, then as many large ones as the tiny ones would let in
 * if each drove out a few. */
TEST(the_heavy_drive_out_the_light, NULL, done)
{
	const size_t heavy = 128 << 10, most = 4 << 20;

	stay_on_this_cpu();
	renew_hardened(most);
	for (unsigned i = 0; i < 2 * nr_places(); i++)
		heap_free(block_alloc(40));
	for (unsigned i = 0; i < 5 * most / heavy; i++) {
		heap_free(block_alloc(heavy));
		assert_true(quarantine_size() <= 5 * most + 2 * heavy);
	}
	assert_in_range(quarantine_size(), most - 2 * heavy, most + 2 * heavy);
}

/* Of a run whose footer says that it is live nobody searches the ring, which a
 * realloc would pay for each time; one that waits is found. */
TEST(a_live_footer_needs_no_search, NULL, done)
{
	struct block block;
	void *run;

	renew_hardened(4 << 20);
	heap_free(block_alloc(64 << 10));
	run = block_alloc(MIB);
	page_map_find(run, &block);
	assert_int_equal(block.kind, BLOCK_RUN);
	store_relaxed(places_find() + nr_places() - 1,
		      entry_pack(run, 0)); // own
	assert_true(quarantine_has(run));
	assert_false(block_waits(run, &block));
	store_relaxed(places_find() + nr_places() - 1, 0); // own
	heap_free(run);
	page_map_find(run, &block);
	assert_true(block_waits(run, &block));
}

/* Both that free a run were told that it is live. */
TEST(a_run_is_freed_once, NULL, done)
{
	struct block block;
	void *run;

	renew_hardened(4 << 20);
	run = block_alloc(MIB);
	page_map_find(run, &block);
	retire_block(run, &block);
	assert_fault("free of %p: already free", run,
		     retire_block(run, &block));
}

/* Who wants memory back has what waits, too. */
TEST(pressure_empties_it, NULL, done)
{
	struct lanemalloc_limits limits = { .soft_size = 1 << 20 };

	renew_hardened(16 * SIZE);
	for (unsigned i = 0; i < 16; i++)
		heap_free(block_alloc(SIZE));
	assert_true(quarantine_size() > 8 * SIZE);
	hold = block_alloc(4 << 20);
	pressure_limit(&limits, &limits);
	assert_int_equal(quarantine_size(), 0);
	heap_free(hold);
}

static struct rseq_area *no_area(void *arg)
{
	(void)arg;
	return NULL;
}

/* What a helper was asked for by what it watches, a passer does for it. */
TEST(the_helper_leaves_it_to_a_passer, NULL, done)
{
	renew_hardened(16 * SIZE);
	for (unsigned i = 0; i < 16; i++)
		heap_free(block_alloc(SIZE));
	limit_ask(LIMIT_PRESSURE);
	assert_true(pressure_serve(no_area, NULL) > 0);
	assert_false(limit_is_asked());
	assert_true(quarantine_size() > 8 * SIZE);
	pressure_pass();
	assert_int_equal(quarantine_size(), 0);
	for (unsigned i = 0; i < 16; i++)
		heap_free(block_alloc(SIZE));
	pressure_pass();
	assert_true(quarantine_size() > 8 * SIZE);
}

TEST_MAIN(setup, NULL)
