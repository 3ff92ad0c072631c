/* guard/pool.h: guarded blocks, whatever the kernel refuses */
#include "heap_fixture.h"

#include "front/block.h"
#include "guard/pool.h"
#include "system/peek.h"

#define NR_SLOTS 8
#define SIZE 100

static int setup(void **state)
{
	int result = heap_setup(state);

	config.guard_slots = NR_SLOTS;
	return result;
}

FIXTURE(may_ask)
{
	system_peek_start();
}

FIXTURE(done)
{
	fake_reset_quiet();
}

/* The kernel is older: by mprotect. No pool comes of refusals, and all that
 * was taken for it goes back. */
TEST_FIRST(no_memory_no_pool, NULL, done)
{
	struct page_heap_stats before, after;

	assert_false(guarded_is_on());
	page_heap_stats(&before);
	fake_fail_from(FAKE_GUARD, 1);
	assert_false(guarded_start());
	page_heap_stats(&after);
	assert_int_equal(after.claimed_size, before.claimed_size);
	fake_reset_quiet();
	fake_fail_at(FAKE_MAP, 1);
	assert_false(guarded_start());
	assert_null(guarded_alloc(SIZE, 16, 0));
	fake_reset_quiet();
	fake_fail_at(FAKE_GUARD, 1);
	assert_true(guarded_start());
	assert_true(guarded_start());
}

static struct block find(const void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	assert_int_equal(block.kind, BLOCK_GUARDED);
	assert_true(guarded_find(pointer, &block));
	return block;
}

static void give(const void *pointer)
{
	struct block block = find(pointer);

	assert_null(guarded_damage(&block));
	assert_true(guarded_free(&block, 0));
	assert_false(guarded_free(&block, 0));
	assert_false(guarded_find(pointer, &block));
}

TEST(the_slot_that_is_free_for_longest_is_next, NULL, done)
{
	uint32_t order[3 * NR_SLOTS];
	unsigned i, j;

	for (i = 0; i < 3 * NR_SLOTS; i++) {
		char *p = guarded_alloc(SIZE, 16, 0);

		order[i] = find(p).index;
		give(p);
		for (j = i < NR_SLOTS ? 0 : i - NR_SLOTS + 1; j < i; j++)
			assert_int_not_equal(order[j], order[i]);
	}
	for (i = NR_SLOTS; i < 3 * NR_SLOTS; i++)
		assert_int_equal(order[i], order[i - NR_SLOTS]);
}

/* What a realloc without memory leaves in its place. */
TEST(what_shrinks_is_as_small_as_it_says, NULL, done)
{
	struct block block;
	char *p;

	for (unsigned i = 0; i < 2; i++) {
		p = guarded_alloc(SIZE, 16, 0);
		memset(p, 'x', SIZE);
		block = find(p);
		guarded_shrink(&block, 10);
		block = find(p);
		assert_int_equal(block.size, 10);
		assert_int_equal(p[9], 'x');
		assert_null(guarded_damage(&block));
		p[10] = 'x';
		assert_ptr_equal(guarded_damage(&block), p + 10);
		p[10] = (char)SLACK_BYTE;
		give(p);
		guarded_shrink(&block, 5);
		assert_false(guarded_find(p, &block));
	}
}

TEST(all_slots_serve_and_no_more, NULL, done)
{
	char *p[NR_SLOTS];

	for (unsigned i = 0; i < NR_SLOTS; i++) {
		p[i] = guarded_alloc(SIZE, 16, 0);
		assert_non_null(p[i]);
		memset(p[i], 1, SIZE);
	}
	assert_null(guarded_alloc(SIZE, 16, 0));
	assert_int_equal(guarded_live_size(), NR_SLOTS * SIZE);
	for (unsigned i = 0; i < NR_SLOTS; i++)
		give(p[i]);
	assert_int_equal(guarded_live_size(), 0);
}

TEST(ends_and_begins_with_its_page_by_turns, NULL, done)
{
	size_t page = system_page_size();
	unsigned i, nr_at_end = 0;

	for (i = 0; i < 10; i++) {
		char *p = guarded_alloc(page - 64, 64, 0);

		assert_int_equal((uintptr_t)p % 64, 0);
		nr_at_end += (uintptr_t)p % page == 64;
		assert_true((uintptr_t)p % page == 64 ||
			    !((uintptr_t)p % page));
		give(p);
	}
	assert_int_equal(nr_at_end, 5);
	assert_null(guarded_alloc(page + 1, 16, 0));
	assert_null(guarded_alloc(16, 2 * page, 0));
}

TEST(memory_is_zero, NULL, done)
{
	for (unsigned i = 0; i < 2 * NR_SLOTS; i++) {
		unsigned char *p = guarded_alloc(SIZE, 16, 0);

		assert_int_equal(p[0] | p[1] | p[SIZE - 1], 0);
		memset(p, 0xff, SIZE);
		give(p);
	}
}

/* The address is one of the page's. */
TEST(blocks_of_no_bytes, NULL, done)
{
	for (unsigned i = 0; i < 4; i++)
		give(guarded_alloc(0, 16, 0));
}

TEST(a_refused_page_leaves_the_slot, NULL, done)
{
	char *p;

	fake_fail_at(FAKE_UNGUARD, 1);
	assert_null(guarded_alloc(SIZE, 16, 0));
	p = guarded_alloc(SIZE, 16, 0);
	fake_fail_at(FAKE_GUARD, 1);
	give(p);
}

/* As one that died while it held it. */
TEST(a_held_slot_is_left_alone, NULL, done)
{
	struct slot *slot = guarded_slot(0);
	uint64_t word = load_relaxed(&slot->word); // own
	struct slot_word w = slot_word_unpack(word);
	char *p[NR_SLOTS];

	w = slot_word_moved(w, SLOT_HELD, w.since);
	store_relaxed(&slot->word, slot_word_pack(w)); // own
	for (unsigned i = 0; i + 1 < NR_SLOTS; i++) {
		p[i] = guarded_alloc(SIZE, 16, 0);
		assert_int_not_equal(find(p[i]).index, 0);
	}
	assert_null(guarded_alloc(SIZE, 16, 0));
	for (unsigned i = 0; i + 1 < NR_SLOTS; i++)
		give(p[i]);
	store_relaxed(&slot->word, word); // own
}

/* Behind a filter, and where the kernel may be asked to copy. */
TEST(damage_is_seen_on_both_sides, NULL, done)
{
	struct slot_story story;
	struct block block;

	for (unsigned i = 0; i < 4; i++) {
		char *p = guarded_alloc(SIZE, 16, 0), *at, was;

		at = (uintptr_t)p % system_page_size() ? p - 1 : p + SIZE + 9;
		block = find(p);
		was = *at;
		*at = 1;
		assert_ptr_equal(guarded_damage(&block), at);
		assert_ptr_equal(guarded_look(guarded_slot(block.index),
					      &story), at);
		assert_ptr_equal((char *)story.block, p);
		*at = was;
		assert_null(guarded_look(guarded_slot(block.index), &story));
		give(p);
		assert_null(guarded_look(guarded_slot(block.index), &story));
	}
}

TEST_AGAIN(damage_is_seen_on_both_sides, may_ask, done)

/* Every state, told or not: who may claim, and what a move leaves. */
TEST(words_move, NULL, done)
{
	unsigned state, told, next;

	for (state = SLOT_FREE; state <= SLOT_LIVE; state++)
		for (told = 0; told < 2; told++)
			for (next = SLOT_FREE; next <= SLOT_LIVE; next++) {
				struct slot_word w = { state, told, 77 }, to;

				to = slot_word_moved(w, next, 78);
				assert_int_equal(to.state, next);
				assert_int_equal(to.told, told);
				assert_int_equal(to.since, 78);
				assert_int_equal(slot_word_serves(to),
						 next == SLOT_FREE && !told);
				w = (struct slot_word){ next, 1, 78 };
				assert_int_equal(slot_word_pack(to) | SLOT_TOLD,
						 slot_word_pack(w));
			}
}

static void *churn(void *arg)
{
	uintptr_t mine = (uintptr_t)arg + 1;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned char *p = guarded_alloc(SIZE, 16, 0);
		struct block block;

		if (!p)
			continue;
		memset(p, (int)mine, SIZE);
		for (unsigned j = 0; j < SIZE; j++)
			if (p[j] != mine)
				abort();
		page_map_find(p, &block);
		if (!guarded_find(p, &block) || guarded_damage(&block) ||
		    !guarded_free(&block, 0))
			abort();
	}
	return NULL;
}

TEST(no_slot_has_two_owners, NULL, done)
{
	threads_run(4, churn);
	assert_int_equal(guarded_live_size(), 0);
}

TEST_MAIN(setup, NULL)
