/* slab/bin.h: where slabs go: slot, partial, inbox, another id, the page heap;
 * and that nothing is lost or handed out twice on the way */
#include <string.h>

#include "slab_fixture.h"
#include "threads.h"

/* What happens while the system purges. */
static void (*while_purging)(void);

static int purge_and_more(void *addr, size_t size)
{
	if (while_purging)
		while_purging();
	return system_purge(addr, size);
}

/* What a thread sees behind its fence. */
static void (*behind_fence)(void);

static void fence_and_more(void)
{
	atomic_thread_fence(memory_order_acquire);
	if (behind_fence)
		behind_fence();
}

#undef fence_acquire
#define fence_acquire() fence_and_more()
#include "slab/slab.c"
#define system_purge purge_and_more
#include "slab/slab_purge.c"
#undef system_purge
#include "slab/collect.c"
#include "slab/wane.c"
#include "slab/bin.c"

#define CLASS size_class_of(1024) /* 32 objects in a slab of one unit */
#define NR_IN_SLAB 32

static uint64_t claimed_units(void)
{
	struct page_heap_stats stats;

	page_heap_stats(&stats);
	return stats.claimed_size >> UNIT_SHIFT;
}

static unsigned take_all(unsigned id, unsigned size_class, void **out,
			 unsigned most)
{
	unsigned n = 0, got;

	while (n < most) {
		got = bin_take(id, size_class, out + n, most - n);
		assert_in_range(got, 1, most - n);
		n += got;
	}
	return n;
}

TEST(test_give_and_take_reuse_the_slab, NULL, collected)
{
	void *objects[NR_IN_SLAB], *again[NR_IN_SLAB];
	uint64_t before;

	take_all(1, CLASS, objects, NR_IN_SLAB);
	before = claimed_units();
	bin_give(1, objects, NR_IN_SLAB / 2);
	take_all(1, CLASS, again, NR_IN_SLAB / 2);
	assert_int_equal(claimed_units(), before);
	bin_give(1, objects + NR_IN_SLAB / 2, NR_IN_SLAB / 2);
	bin_give(1, again, NR_IN_SLAB / 2);
}

TEST(test_objects_are_distinct, NULL, collected)
{
	enum { N = 4000 };
	static void *objects[N];

	take_all(1, CLASS, objects, N);
	for (unsigned i = 0; i < N; i++)
		memset(objects[i], 0, 1024);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal((*(unsigned *)objects[i])++, 0);
	give_each(1, objects, N, 40, 40);
}

TEST(test_empty_slabs_go_back_at_once, NULL, collected)
{
	enum { N = 64 * NR_IN_SLAB };
	static void *objects[N];
	uint64_t before = claimed_units();

	take_all(1, CLASS, objects, N);
	assert_true(claimed_units() >= before + 64);
	give_each(1, objects, N, 1, 1);
	/* Slot, and the few that do not start a collection. */
	assert_true(claimed_units() <= before + 6);
}

static uint32_t nr_empty(unsigned id, unsigned size_class)
{
	return load_relaxed(&bin_sets[id]->bins[size_class].nr_empty); // own
}

/* A few empty slabs are kept for the next breath, however many there were:
 * those in use again are no longer counted. Threads that raced before may have
 * left the hint wrong. */
TEST(test_breathing_keeps_its_slabs, NULL, collected)
{
	enum { N = (1 + EMPTY_KEPT) * NR_IN_SLAB };
	static void *objects[N];
	uint64_t before = 0;

	take_all(1, CLASS, objects, 1);
	bin_give(1, objects, 1);
	store_relaxed(&bin_sets[1]->bins[CLASS].nr_empty, 0); // own
	for (unsigned round = 0; round < 20; round++) {
		take_all(1, CLASS, objects, N);
		assert_int_equal(nr_empty(1, CLASS), 0);
		/* One each, so that they are listed before they are empty. */
		give_each(1, objects, N, NR_IN_SLAB, 1);
		give_each(1, objects + 1, N, NR_IN_SLAB, NR_IN_SLAB - 1);
		assert_int_equal(nr_empty(1, CLASS), EMPTY_KEPT);
		if (!round)
			before = claimed_units();
		assert_int_equal(claimed_units(), before);
	}
}

/* A count gone wrong: collections that see a whole side halve it. */
TEST(test_wrong_count_of_empty_slabs_heals, NULL, collected)
{
	enum { N = 3 * NR_IN_SLAB };
	void *objects[N];
	struct bin *bin;

	take_all(1, CLASS, objects, N);
	give_each(1, objects, N, NR_IN_SLAB, 1);
	bin = &bin_sets[1]->bins[CLASS];
	assert_int_equal(load_relaxed(&bin->nr_listed), 2); // own
	store_relaxed(&bin->nr_empty, 1000);                // own
	for (unsigned i = 500; i; i /= 2) {
		bin_collect_all(100, COLLECT_AGE_NEVER);
		assert_int_equal(load_relaxed(&bin->nr_empty), i); // own
	}
	give_each(1, objects + 1, N, NR_IN_SLAB, NR_IN_SLAB - 1);
}

static void *last_object;

static void give_last_object(void)
{
	while_purging = NULL;
	bin_give(2, &last_object, 1);
}

/* The last object comes back while the slab is purged, and held. */
static void empties_while_purged(unsigned size_class)
{
	unsigned nr = size_classes[size_class].nr_objects;
	uint64_t before = claimed_units();
	static void *objects[2048];

	take_all(1, size_class, objects, nr);
	bin_give(1, objects, nr - 1);
	last_object = objects[nr - 1];
	while_purging = give_last_object;
	assert_true(bin_collect_all(100, COLLECT_AGE_ANY) > 0);
	assert_null(while_purging);
	assert_int_equal(claimed_units(), before);
}

TEST(test_slab_that_empties_while_purged, NULL, collected)
{
	/* The bins of both ids, so that they are not counted below. */
	bin_set_of(1);
	bin_set_of(2);
	for (unsigned size_class = 1; size_classes[size_class].nr_objects > 1;
	     size_class++)
		empties_while_purged(size_class);
}

TEST(test_remote_frees_come_home, NULL, collected)
{
	enum { N = 8 * NR_IN_SLAB };
	static void *objects[N], *again[N];
	struct bin_stats stats, was;
	uint64_t before;

	bin_stats(&was);
	take_all(1, CLASS, objects, N);
	before = claimed_units();
	give_each(2, objects, N, 2, 1);
	bin_stats(&stats);
	assert_int_equal(stats.nr_remote_frees - was.nr_remote_frees, N / 2);
	assert_in_range(stats.nr_remote_slabs - was.nr_remote_slabs, 7, 9);
	take_all(1, CLASS, again, N / 2);
	assert_true(claimed_units() <= before);
	bin_give(1, again, N / 2);
	give_each(1, objects + 1, N, 2, 1);
}

/* More slabs than the inbox may hold come home as well. */
TEST(test_long_inbox_overflows_to_partial, NULL, collected)
{
	enum { N = 4 * INBOX_DEPTH_MOST * NR_IN_SLAB };
	static void *objects[N], *again[N];
	uint64_t before;

	take_all(1, CLASS, objects, N);
	before = claimed_units();
	give_each(2, objects, N, NR_IN_SLAB, NR_IN_SLAB / 2);
	take_all(1, CLASS, again, N / 2);
	assert_true(claimed_units() <= before);
	bin_give(1, again, N / 2);
	give_each(1, objects + NR_IN_SLAB / 2, N, NR_IN_SLAB, NR_IN_SLAB / 2);
}

TEST(test_other_ids_slabs_are_adopted, NULL, collected)
{
	enum { N = 4 * NR_IN_SLAB };
	static void *objects[N], *again[N];
	struct bin_stats stats, was;
	uint64_t before;

	take_all(1, CLASS, objects, N);
	give_each(1, objects, N, NR_IN_SLAB, NR_IN_SLAB / 2);
	before = claimed_units();
	bin_stats(&was);
	take_all(2, CLASS, again, NR_IN_SLAB);
	bin_stats(&stats);
	assert_true(stats.nr_steals > was.nr_steals);
	assert_int_equal(claimed_units(), before);
	bin_give(2, again, NR_IN_SLAB);
	give_each(1, objects + NR_IN_SLAB / 2, N, NR_IN_SLAB, NR_IN_SLAB / 2);
}

static bool is_free(const void *object)
{
	struct block block;

	page_map_find(object, &block);
	assert_int_equal(block.kind, BLOCK_OBJECT);
	return page_map_is_free(&block);
}

/* What the profile follows lies alone: nobody takes of it, whoever gives. */
TEST(test_sampled_slabs_are_apart, NULL, collected)
{
	unsigned size_class = size_class_of(256);
	const struct unit_tag *tag;
	void *followed, *other[2];

	followed = bin_take_sampled(size_class);
	assert_non_null(followed);
	tag = tag_of(followed);
	assert_int_equal(tag->magic, 0);
	assert_true(tag_is_sampled(tag));
	other[0] = bin_take_sampled(size_class);
	assert_true(tag_is_sampled(tag_of(other[0])));
	/* Not stolen, as another id's would be. */
	assert_int_equal(bin_take(5, size_class, &other[1], 1), 1);
	assert_false(tag_is_sampled(tag_of(other[1])));
	assert_int_equal(slab_nr_open(size_class), 2);
	assert_false(is_free(followed));
	bin_give(5, &followed, 1);
	assert_true(is_free(followed));
	bin_give(5, other, 2);
	bin_collect_all(1000, COLLECT_AGE_NEVER);
	assert_int_equal(slab_nr_open(size_class), 0);
	assert_false(tag_is_sampled(tag));
	page_heap_check();
}

/* Where nobody has bins yet, and there is memory for those of followed objects
 * alone, their frees find these. */
TEST(test_followed_object_without_other_bins, NULL, collected)
{
	_Atomic(struct bin_set *) sets[NR_IDS_MOST + 1];
	void *followed;

	memcpy(sets, bin_sets, sizeof(sets));
	memset(bin_sets, 0, sizeof(sets));
	fake_fail_at(FAKE_MAP, 1);
	assert_int_equal(bin_take(7, CLASS, &followed, 1), 0);
	fake_reset();
	followed = bin_take_sampled(CLASS);
	assert_non_null(followed);
	fake_fail_from(FAKE_MAP, 1);
	bin_give(7, &followed, 1);
	fake_reset();
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	memcpy(bin_sets, sets, sizeof(sets));
}

/* Nor do they take of others. */
TEST(test_sampled_slabs_are_new, NULL, collected)
{
	enum { N = 4 * NR_IN_SLAB };
	static void *objects[N];
	struct bin_stats stats, was;
	void *followed;

	take_all(1, CLASS, objects, N);
	give_each(1, objects, N, NR_IN_SLAB, NR_IN_SLAB / 2);
	bin_stats(&was);
	followed = bin_take_sampled(CLASS);
	bin_stats(&stats);
	assert_int_equal(stats.nr_steals, was.nr_steals);
	assert_true(tag_is_sampled(tag_of(followed)));
	bin_give(1, &followed, 1);
	give_each(1, objects + NR_IN_SLAB / 2, N, NR_IN_SLAB, NR_IN_SLAB / 2);
}

TEST(test_mixed_batches, NULL, collected)
{
	void *batch[3 * NR_CLASSES];
	unsigned size_class, round, n;

	for (round = 0; round < 50; round++) {
		for (n = 0, size_class = 1; size_class < NR_FIXED_CLASSES;
		     size_class++) {
			take_all(round % 5, size_class, batch + n, 3);
			n += 3;
		}
		bin_give((round + 1) % 5, batch, n);
	}
	bin_collect_all(100000, COLLECT_AGE_NEVER);
}

TEST(test_no_memory, NULL, collected)
{
	enum { MOST = 100000 };
	static void *objects[MOST];
	unsigned size_class = size_class_of(32768), n = 0, got;

	fake_fail_from(FAKE_MAP, 1);
	while (n < MOST && (got = bin_take(1, size_class, objects + n, 4)))
		n += got;
	assert_true(n < MOST);
	fake_reset();
	assert_true(bin_take(1, size_class, objects + n, 1) == 1);
	bin_give(1, objects, n + 1);
}

/* An id for whose set there is no unit: the system is not asked for one at
 * each free. */
TEST(test_no_memory_for_a_set, NULL, collected)
{
	enum { MOST = 1000000 };
	static void *objects[MOST];
	unsigned n = 0, got, i;
	unsigned long once;

	fake_fail_from(FAKE_MAP, 1);
	while (n < MOST && (got = bin_take(1, CLASS, objects + n, 128)))
		n += got;
	assert_true(n < MOST);
	bin_give(7, &objects[--n], 1);
	once = fake_calls(FAKE_ANY);
	for (i = 0; i < SET_REFUSED_PASSES; i++)
		bin_give(7, &objects[--n], 1);
	assert_in_range(fake_calls(FAKE_ANY), once + 1, 2 * once);
	fake_reset();
	bin_give(7, objects, n);
}

/* Nothing is given: no bins are made, of whoever. */
TEST(test_giving_nothing_makes_no_bins, NULL, collected)
{
	assert_null(bin_set_find(61));
	bin_give(61, NULL, 0);
	assert_null(bin_set_find(61));
}

static void take_one(void)
{
	void *object;

	bin_take(1, CLASS, &object, 1);
}

static void collect(void)
{
	bin_collect_all(100000, COLLECT_AGE_ANY);
}

/* The statement says that something is damaged, and ends the process. */
#define assert_corrupted(...)                               \
	do {                                                \
		fake_text_clear();                          \
		assert_true(fake_aborts(__VA_ARGS__));      \
		if (!strstr(fake_text(), "corrupted: "))    \
			fail_msg("message: %s", fake_text()); \
	} while (0)

/* Each place that a slab comes from holds what is none. */
TEST(test_damaged_lists_are_seen, NULL, collected)
{
	struct bin *bin = &bin_set_of(1)->bins[CLASS];
	static uint64_t nowhere[8];
	struct bin sound = *bin;
	volatile unsigned i;

	collect();
	assert_null(load_relaxed(&bin->slot));
	sound = *bin;
	store_relaxed(&bin->slot, (struct span *)(void *)nowhere);
	assert_corrupted(take_one());
	store_relaxed(&bin->slot, (struct span *)(void *)nowhere);
	assert_corrupted(collect());
	for (i = 0; i < 4; i++) {
		bin->partial[i / 2][i % 2].ck.head = (void *)&nowhere[1];
		assert_corrupted(take_one());
		store_relaxed(&bin->nr_listed, 1);
		assert_corrupted(collect());
		*bin = sound;
	}
	bin->inbox.lfs.head = (void *)&nowhere[1];
	assert_corrupted(take_one());
	bin->inbox.lfs.head = (void *)&nowhere[1];
	assert_corrupted(slab_send(bin, NULL));
	*bin = sound;
}

static uint32_t bound;

static void bound_arrives(void)
{
	store_relaxed(&regions[0].nr_committed, bound); // own
	behind_fence = NULL;
}

static void bound_is_old(uint32_t old)
{
	bound = load_relaxed(&regions[0].nr_committed); // own
	store_relaxed(&regions[0].nr_committed, old);	// own
	behind_fence = bound_arrives;
}

/* A slab in a list is newer than what this thread knows of the region's bound:
 * it looks again behind a fence, and finds nothing wrong. */
TEST(test_old_bounds_are_looked_at_again, NULL, collected)
{
	struct bin *bin = &bin_set_of(1)->bins[CLASS];
	struct span *slab = slab_open(CLASS, 1), *more = slab_open(CLASS, 1);
	uint32_t unit = region_span_unit(&regions[0], slab);

	collect();
	partial_push(bin, 0, slab);
	bound_is_old(unit);
	assert_ptr_equal(partial_pop(bin, 0), slab);
	assert_null(behind_fence);
	slab_send(bin, slab);
	bound_is_old(unit);
	slab_send(bin, more);
	assert_null(behind_fence);
	bound_is_old(unit);
	assert_ptr_equal(inbox_take(bin), more);
	assert_null(behind_fence);
	assert_ptr_equal(partial_pop(bin, fill_side(bin)), slab);
	slab_close(slab);
	slab_close(more);
}

/* A slab of another class in the list, as of a descriptor written over. */
TEST(test_damaged_words_are_seen, NULL, collected)
{
	struct bin *bin = &bin_set_of(1)->bins[CLASS];
	struct span *slab;
	struct slab_word w;
	uint64_t word;
	void *object;

	take_all(1, CLASS, &object, 1);
	slab = load_relaxed(&bin->slot);
	assert_non_null(slab);
	word = load_relaxed(&slab->word);
	w = slab_word_unpack(word);
	w.size_class++;
	store_relaxed(&slab->word, slab_word_pack(w));
	assert_corrupted(take_one());
	w = slab_word_adopted(slab_word_unpack(word), 0xffff);
	store_relaxed(&slab->word, slab_word_pack(w));
	store_relaxed(&bin->slot, slab);
	assert_corrupted(take_one());
	store_relaxed(&slab->word, word);
	store_relaxed(&bin->slot, slab);
	bin_give(1, &object, 1);
}

/* Threads take, hand over and give; each object's first word says that it is
 * out, so that one handed out twice is seen. */
#define THREADS 4
#define ROUNDS 3000
static _Atomic(void *) exchange[256];

static void *storm(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg, seed = id + 1, i, k, size_class;
	void *objects[16], *other;

	for (i = 0; i < ROUNDS; i++) {
		size_class = 1 + rand_r(&seed) % 24;
		k = bin_take(id, size_class, objects, 1 + rand_r(&seed) % 16);
		while (k--) {
			_Atomic(uint64_t) *out = objects[k];

			if (atomic_exchange(out, 0xabcd) == 0xabcd)
				fail_msg("%p handed out twice", objects[k]);
			other = atomic_exchange(
				&exchange[rand_r(&seed) % 256], objects[k]);
			if (!other)
				continue;
			atomic_store((_Atomic(uint64_t) *)other, 0);
			bin_give(id, &other, 1);
		}
	}
	return NULL;
}

TEST_FIRST(test_threads_never_share_an_object, NULL, collected)
{
	/* Recycled memory may hold anything: the mark must not be there. */
	threads_run(THREADS, storm);
	for (unsigned i = 0; i < 256; i++) {
		void *object = atomic_exchange(&exchange[i], NULL);

		if (object)
			bin_give(1, &object, 1);
	}
}

TEST_MAIN(heap_setup, NULL)
