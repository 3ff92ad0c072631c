/* cpucache/drain.h: a cache is taken away whole; the lease to do so survives
 * its holder's death at every step; nothing is lost meanwhile */
#include "heap_fixture.h"

#include <sys/mman.h>

#include "cpucache/drain.c"

#define NR_CACHED 100
#define CLASS SIZE_CLASS_64

static unsigned id;

static uint64_t table_word(void)
{
	return load_relaxed(cpu_cache_table_word(id)); // own
}

static uint64_t lease_now(void)
{
	return load_relaxed(&lease); // own
}

static char *area_of(unsigned which)
{
	return cpu_cache_area(cpu_cache_of(id), which);
}

static char *area_in_use(void)
{
	return anchor.base + table_word();
}

static char *area_spare(void)
{
	return area_in_use() == area_of(0) ? area_of(1) : area_of(0);
}

static uint64_t area_nr_objects(char *area)
{
	uint64_t n = 0;

	for (unsigned size_class = 1; size_class < NR_LANES; size_class++)
		n += lane_nr(cpu_cache_lane(area, size_class));
	return n;
}

static bool area_has_limits(char *area)
{
	FOR_EACH_CLASS(size_class)
		if (lane_limit(cpu_cache_lane(area, size_class)))
			return true;
	return false;
}

/* Objects of several classes in the cache of this CPU; how many. */
static uint64_t fill_cache(void)
{
	void *blocks[3 * NR_CACHED];

	for (unsigned i = 0; i < NR_CACHED; i++) {
		blocks[3 * i] = heap_alloc(16);
		blocks[3 * i + 1] = heap_alloc(64);
		blocks[3 * i + 2] = heap_alloc(5000);
	}
	for (unsigned i = 0; i < 3 * NR_CACHED; i++)
		heap_free(blocks[i]);
	assert_true(area_nr_objects(area_in_use()) >= NR_CACHED);
	return area_nr_objects(area_in_use());
}

static size_t drain(void)
{
	return drain_caches(rseq_self(), false);
}

FIXTURE(fresh)
{
	id = rseq_current_id();
	heap_free(heap_alloc(64));
	heap_purge(0);
}

FIXTURE(done)
{
	fake_reset_quiet();
	add_relaxed(&fake_now_ms, 10 * DRAIN_DEADLINE_MS); // counter
	all_is_free();
}

/* Every change makes the word larger, so that no holder meets its own value
 * again; odd is held. */
TEST(test_rights_by_enumeration)
{
	struct drain_lease w, taken, dropped;

	for (uint64_t word = 0; word < 1000; word++) {
		w = drain_lease_unpack(word);
		assert_int_equal(w.held, word % 2);
		assert_int_equal(drain_lease_pack(w), word);
		taken = lease_taken(w);
		assert_true(taken.held);
		assert_int_equal(drain_lease_pack(taken), word + 1 + word % 2);
		dropped = lease_dropped(taken);
		assert_false(dropped.held);
		assert_int_equal(drain_lease_pack(dropped),
				 drain_lease_pack(taken) + 1);
	}
}

static int pinned(void **state);

TEST_WHERE(can_drain(), test_moves_everything, pinned, done)
{
	uint64_t n, nr_drains, word;
	char *spare;

	for (unsigned round = 0; round < 4; round++) {
		n = fill_cache();
		nr_drains = drain_count();
		word = table_word();
		spare = area_spare();
		assert_true(area_has_limits(area_in_use()));
		assert_int_equal(drain(), n);
		assert_ptr_equal(area_in_use(), spare);
		assert_int_not_equal(table_word(), word);
		assert_int_equal(area_nr_objects(area_of(0)), 0);
		assert_int_equal(area_nr_objects(area_of(1)), 0);
		assert_false(area_has_limits(area_in_use()));
		assert_int_equal(
			load_relaxed(&cpu_cache_of(id)->used_size), 0); // own
		assert_int_equal(drain_count(), nr_drains + 1);
		assert_int_equal(lease_now() & 1, 0);
	}
	/* Nothing there, nothing done. */
	assert_int_equal(drain(), 0);
	assert_int_equal(drain_count(), nr_drains + 1);
}

TEST_WHERE(can_drain(), test_limits_alone_are_a_reason, pinned, done)
{
	void *blocks[200];
	unsigned n;

	blocks[0] = heap_alloc(64);
	for (n = 1; area_nr_objects(area_in_use()); n++)
		blocks[n] = heap_alloc(64);
	assert_true(area_has_limits(area_in_use()));
	assert_int_equal(drain(), 0);
	assert_false(area_has_limits(area_in_use()));
	while (n)
		heap_free(blocks[--n]);
}

TEST_WHERE(can_drain(), test_idle_alone, pinned, done)
{
	void *block;
	uint64_t n = fill_cache();

	assert_int_equal(drain_caches(rseq_self(), true), 0);
	/* A refill since then. */
	block = heap_alloc(1000);
	assert_int_equal(drain_caches(rseq_self(), true), 0);
	assert_true(area_nr_objects(area_in_use()) >= n);
	n = area_nr_objects(area_in_use());
	assert_int_equal(drain_caches(rseq_self(), true), n);
	heap_free(block);
}

TEST_WHERE(can_drain(), test_held_right_is_respected, pinned, done)
{
	uint64_t n = fill_cache();

	store_relaxed(&lease, lease_now() | 1);			     // own
	store_relaxed(&deadline, fake_now_ms + DRAIN_DEADLINE_MS); // own
	assert_int_equal(drain(), 0);
	fake_now_ms += DRAIN_DEADLINE_MS - 1;
	assert_int_equal(drain(), 0);
	assert_int_equal(lease_now() & 1, 1);
	assert_int_equal(area_nr_objects(area_in_use()), n);
	fake_now_ms++;
	assert_int_equal(drain(), n);
	assert_int_equal(lease_now() & 1, 0);
}

/* What holders leave that die in step 2, 3, 4 or 6 of drain.h, by hand. */
enum death {
	DIES_AT_ONCE,
	DIES_IN_SPARE,
	DIES_AFTER_SWAP,
	DIES_IN_OLD,
	DEATHS
};

static void pop_some(char *area, unsigned n)
{
	struct lane *lane = cpu_cache_lane(area, CLASS);
	void *object;

	while (n--) {
		assert_int_equal(percpu_pop_checked(rseq_self(), lane, &lease,
						    lease_now(), &object),
				 PERCPU_DONE);
		bin_give(id, &object, 1);
	}
}

static void spare_put(unsigned n)
{
	struct lane *lane = cpu_cache_lane(area_spare(), CLASS);
	void **top;

	lane_open(lane);
	while (n--) {
		top = load_relaxed(&lane->top) + 1; // own
		assert_int_equal(bin_take(id, CLASS, top, 1), 1);
		store_relaxed(&lane->top, top); // own
	}
}

static uint64_t die(enum death death)
{
	struct drainer d = { .self = rseq_self(), .mine = lease_now() | 1 };
	uint64_t n = fill_cache();

	store_relaxed(&lease, d.mine);	       // own
	store_relaxed(&deadline, fake_now_ms); // own
	if (death == DIES_AT_ONCE)
		return n;
	if (death == DIES_IN_SPARE) {
		spare_put(70);
		return n + 70;
	}
	assert_true(area_swap(&d, id, area_spare()));
	if (death == DIES_AFTER_SWAP)
		return n;
	pop_some(area_spare(), 10);
	return n - 10;
}

TEST_WHERE(can_drain(), test_dead_holder_is_superseded, pinned, done)
{
	enum death death;
	uint64_t n, mine;

	for (death = DIES_AT_ONCE; death < DEATHS; death++) {
		n = die(death);
		mine = lease_now();
		assert_int_equal(drain(), n);
		assert_int_equal(lease_now(), mine + 3);
		assert_int_equal(area_nr_objects(area_of(0)), 0);
		assert_int_equal(area_nr_objects(area_of(1)), 0);
		all_is_free();
	}
}

/* It slept past its deadline, and its lease is another one's. */
TEST_WHERE(can_drain(), test_late_holder_writes_nothing, pinned, done)
{
	struct drainer late = { .self = rseq_self() };
	uint64_t n, word, held;

	assert_true(lease_take(&late, false));
	fake_now_ms += DRAIN_DEADLINE_MS;
	fill_cache();
	assert_true(drain() > 0);
	n = fill_cache();
	word = table_word();
	assert_false(area_empty(&late, id, area_in_use()));
	assert_false(area_swap(&late, id, area_spare()));
	assert_int_equal(late.nr_objects, 0);
	assert_int_equal(table_word(), word);
	assert_int_equal(area_nr_objects(area_in_use()), n);
	held = lease_now();
	lease_drop(&late);
	assert_int_equal(lease_now(), held);
}

/* Who is out of memory does not wait for the deadline. */
TEST_WHERE(can_drain(), test_urgent_drain_takes_over, pinned, done)
{
	struct drainer slow = { .self = rseq_self() };
	uint64_t n;

	assert_true(lease_take(&slow, false));
	n = fill_cache();
	assert_int_equal(drain(), 0);
	assert_true(drain_finds_any());
	assert_int_equal(drain_caches_urgent(rseq_self()), n);
	assert_false(drain_finds_any());
	assert_false(area_swap(&slow, id, area_spare()));
	/* In a sandbox there is no fence, so no drain. */
	n = fill_cache();
	sandbox_begin();
	assert_int_equal(drain_caches_urgent(rseq_self()), 0);
	assert_false(drain_finds_any());
	sandbox_end(0);
	assert_int_equal(drain(), n);
}

/* Fences fail from the k-th of a drain on: a part may be left for later. */
TEST_WHERE(can_drain(), test_no_fence, pinned, done)
{
	uint64_t n;

	for (unsigned k = 1; k <= 3; k++) {
		die(k == 3 ? DIES_AFTER_SWAP : DIES_AT_ONCE);
		n = drain_count();
		fake_fail_from(FAKE_FENCE, k);
		drain();
		assert_int_equal(fake_failures(FAKE_FENCE), k < 3);
		assert_true(drain_count() - n == (k > 1));
		/* Who broke off keeps the lease, so that the next fences. */
		assert_int_equal(lease_now() & 1, k < 3);
		fill_cache();
		heap_purge(0);
		fake_reset_quiet();
		fake_now_ms += k * 100 * DRAIN_DEADLINE_MS;
		all_is_free();
	}
	rseq_state.fence = false;
	n = fill_cache();
	assert_int_equal(drain(), 0);
	assert_int_equal(area_nr_objects(area_in_use()), n);
	rseq_state.fence = true;
	assert_int_equal(drain_caches(NULL, false), 0);
	assert_int_equal(drain(), n);
}

#define PAGES_MOST 2048

/* Resident pages of the area's slots. */
static unsigned slots_resident(char *area)
{
	size_t page = system_page_size(), i;
	char *from = (char *)round_up((uintptr_t)area + size_class_lanes_size(),
				      page);
	size_t nr = (size_t)(area + size_class_area_size() - from) / page;
	static unsigned char pages[PAGES_MOST];
	unsigned n = 0;

	assert_true(nr <= PAGES_MOST);
	assert_int_equal(mincore(from, nr * page, pages), 0);
	for (i = 0; i < nr; i++)
		n += pages[i] & 1;
	return n;
}

/* What an id that is drained has resident is its lanes alone. */
TEST_WHERE(can_drain(), test_slots_go_back, pinned, done)
{
	uint64_t n = fill_cache();

	assert_true(slots_resident(area_in_use()) > 0);
	assert_int_equal(drain(), n);
	assert_int_equal(slots_resident(area_spare()), 0);
	n = fill_cache();
	assert_int_equal(drain(), n);
	assert_int_equal(slots_resident(area_of(0)), 0);
	assert_int_equal(slots_resident(area_of(1)), 0);
	/* They stay where the system refuses. */
	n = fill_cache();
	fake_fail_from(FAKE_PURGE, 1);
	assert_int_equal(drain(), n);
	fake_reset_quiet();
	assert_true(slots_resident(area_spare()) > 0);
	assert_int_equal(drain_caches(rseq_self(), false), 0);
	n = fill_cache();
	assert_int_equal(drain(), n);
}

/* Whoever drops slots has the id alone, however late it is. */
TEST_WHERE(can_drain(), test_who_drops_is_left_alone, pinned, done)
{
	struct drainer late = { .self = rseq_self() };
	struct cpu_cache *cache = cpu_cache_of(id);
	uint64_t n, word, nr_drains = drain_count();

	assert_true(lease_take(&late, false));
	assert_true(word_set(&late, &cache->dropping, 1));
	fake_now_ms += DRAIN_DEADLINE_MS;
	n = fill_cache();
	word = table_word();
	assert_int_equal(drain(), 0);
	assert_int_equal(drain_caches_urgent(rseq_self()), 0);
	assert_int_equal(table_word(), word);
	assert_int_equal(drain_count(), nr_drains);
	assert_int_equal(area_nr_objects(area_in_use()), n);
	store_relaxed(&cache->dropping, 0); // own
	/* Its lease is lost, so it may not begin with another. */
	slots_drop(&late, cache, area_in_use());
	assert_int_equal(load_relaxed(&cache->dropping), 0); // own
	assert_true(slots_resident(area_in_use()) > 0);
	assert_int_equal(drain(), n);
}

/* Threads allocate, hand over and free while the caches are drained. The
 * first word says that a block is out; the rest is its pattern. */
#define THREADS 3
#define NR_EXCHANGE 256
#define OUT 0x6f757421
#define DRAINS 1000

static _Atomic(void *) exchange[NR_EXCHANGE];
static _Atomic(uint32_t) stop;

struct out {
	_Atomic(uint64_t) mark;
	uint64_t size;
	unsigned char rest[];
};

static void out_free(struct out *out)
{
	size_t size = out->size - sizeof(*out);

	if (!pattern_is(out->rest, size, size))
		fail_msg("%p was overwritten", (void *)out);
	if (atomic_exchange(&out->mark, 0) != OUT)
		fail_msg("%p is not out", (void *)out);
	heap_free(out);
}

static struct out *out_alloc(size_t size)
{
	struct out *out = heap_alloc(size);

	assert_non_null(out);
	if (atomic_exchange(&out->mark, OUT) == OUT)
		fail_msg("%p handed out twice", (void *)out);
	out->size = size;
	pattern_set(out->rest, size - sizeof(*out));
	return out;
}

static void *storm(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg + 1, i;
	struct out *out;

	while (!atomic_load(&stop)) {
		out = out_alloc(16u << rand_r(&seed) % 7);
		i = (unsigned)rand_r(&seed) % NR_EXCHANGE;
		out = atomic_exchange(&exchange[i], out);
		if (out)
			out_free(out);
	}
	return NULL;
}

TEST_WHERE(can_drain(), test_nothing_is_lost_under_load, fresh, done)
{
	pthread_t threads[THREADS];
	uint64_t nr_drains = drain_count();
	struct out *out;

	atomic_store(&stop, 0);
	threads_start(threads, THREADS, storm);
	while (drain_count() < nr_drains + DRAINS) {
		drain();
		sched_yield();
	}
	atomic_store(&stop, 1);
	threads_join(threads, THREADS);
	for (unsigned i = 0; i < NR_EXCHANGE; i++) {
		out = atomic_exchange(&exchange[i], NULL);
		if (out)
			out_free(out);
	}
}

static int pinned(void **state)
{
	stay_on_this_cpu();
	return fresh(state);
}

TEST_MAIN(heap_setup, NULL)
