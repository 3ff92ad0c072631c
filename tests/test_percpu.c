/* percpu: each operation alone
 *
 * The sections arm an area that no kernel knows and that says what the test
 * likes. */

#include <string.h>

#include "cases.h"
#include "percpu_world.h"

#define NR_WORDS 600

static int words[NR_WORDS];

TEST(test_pop, setup, teardown)
{
	struct lane *l = lane_of(5);

	assert_null(percpu_pop(LANE_AT));
	assert_armed();
	assert_int_equal(lane_nr(l), 0);
	l->slots[0] = &words[0];
	l->slots[1] = &words[1];
	lane_hold(l, 2);
	assert_ptr_equal(percpu_pop(LANE_AT), &words[1]);
	assert_armed();
	assert_int_equal(lane_nr(l), 1);
	assert_ptr_equal(percpu_pop(LANE_AT), &words[0]);
	assert_int_equal(lane_nr(l), 0);
	assert_null(percpu_pop(LANE_AT));
	assert_int_equal(lane_nr(l), 0);
	assert_int_equal(lane_limit(l), LIMIT);
}

/* Nothing is given that the count does not reach, and an empty lane counts
 * nothing. */
TEST(test_pop_counted, setup, teardown)
{
	struct lane *l = lane_of(5);

	store_relaxed(count_of(5), 100); // own
	assert_null(percpu_pop_counted(LANE_AT, 16));
	assert_armed();
	assert_int_equal(load_relaxed(count_of(5)), 100); // own
	l->slots[0] = &words[0];
	l->slots[1] = &words[1];
	lane_hold(l, 2);
	assert_ptr_equal(percpu_pop_counted(LANE_AT, 100), &words[1]);
	assert_armed();
	assert_int_equal(load_relaxed(count_of(5)), 0); // own
	assert_int_equal(lane_nr(l), 1);
	assert_null(percpu_pop_counted(LANE_AT, 1));
	assert_int_equal(load_relaxed(count_of(5)), -1); // own
	assert_int_equal(lane_nr(l), 1);
	store_relaxed(count_of(5), 0); // own
	assert_ptr_equal(percpu_pop_counted(LANE_AT, 0), &words[0]);
	assert_int_equal(lane_nr(l), 0);
	assert_int_equal(load_relaxed(count_of(4)), 0); // own
}

TEST(test_push, setup, teardown)
{
	struct lane *l = lane_of(5);
	unsigned i;

	for (i = 0; i < LIMIT; i++) {
		assert_true(percpu_push(LANE_AT, &words[i]));
		assert_int_equal(lane_nr(l), i + 1);
		assert_ptr_equal(l->slots[i], &words[i]);
	}
	assert_armed();
	l->slots[LIMIT] = NULL;
	assert_false(percpu_push(LANE_AT, &words[i]));
	assert_int_equal(lane_nr(l), LIMIT);
	assert_null(l->slots[LIMIT]);
	lane_set_limit(l, 0);
	assert_false(percpu_push(LANE_AT, &words[i]));
	assert_int_equal(lane_nr(l), LIMIT);
	while (i--)
		assert_ptr_equal(percpu_pop(LANE_AT), &words[i]);
}

/* A lane without a limit does not say where its slots are; a push that has seen
 * it so fails, though others open it. */
TEST(test_closed_lane, setup, teardown)
{
	struct lane *l = lane_of(5);
	void **none = (void **)(void *)(l + 60);
	void *objects[2] = { &words[0], &words[1] };

	lane_begin(l, l->slots, none);
	lane_set_limit(l, 0);
	assert_true(lane_move_limit(l, 0, 0));
	assert_ptr_equal(load_relaxed(&l->top), none); // own
	assert_int_equal(lane_nr(l), 0);
	assert_int_equal(lane_limit(l), 0);
	assert_null(percpu_pop(LANE_AT));
	assert_false(percpu_push(LANE_AT, &words[0]));
	assert_int_equal(percpu_pop_batch(LANE_AT, objects, 2), 0);
	assert_int_equal(percpu_push_batch(LANE_AT, objects, 2), 0);
	store_relaxed(&l->end, lane_end(l, LIMIT)); // own
	assert_false(percpu_push(LANE_AT, &words[0]));
	assert_int_equal(percpu_push_batch(LANE_AT, objects, 2), 0);
	assert_ptr_equal(load_relaxed(&l->top), none); // own
	store_relaxed(&l->end, 0);		       // own
	assert_true(lane_move_limit(l, 0, 1));
	assert_false(lane_move_limit(l, 0, 2));
	assert_int_equal(lane_limit(l), 1);
	assert_int_equal(lane_nr(l), 0);
	assert_true(percpu_push(LANE_AT, &words[0]));
	assert_false(percpu_push(LANE_AT, &words[1]));
	lane_set_limit(l, 2);
	assert_int_equal(lane_nr(l), 1);
	assert_true(percpu_push(LANE_AT, &words[1]));
	assert_ptr_equal(l->slots[0], &words[0]);
	assert_ptr_equal(l->slots[1], &words[1]);
	assert_null(*none);
}

/* Others' machines may show a slot as it was before the push that moved top:
 * that lane is not closed, and who changes its limit moves no top. */
TEST(test_open_lane_stays, setup, teardown)
{
	struct lane *l = lane_of(5);

	lane_begin(l, l->slots, (void **)(void *)(l + 60));
	lane_set_limit(l, 4);
	assert_true(percpu_push(LANE_AT, &words[0]));
	assert_true(percpu_push(LANE_AT, &words[1]));
	l->slots[1] = NULL;
	lane_set_limit(l, 3);
	assert_int_equal(lane_nr(l), 2);
	assert_true(lane_move_limit(l, 3, 2));
	assert_int_equal(lane_nr(l), 2);
	l->slots[1] = &words[1];
	assert_ptr_equal(percpu_pop(LANE_AT), &words[1]);
	assert_ptr_equal(percpu_pop(LANE_AT), &words[0]);
}

/* A drain closed it since its limit was read. */
TEST(test_limit_of_before, setup, teardown)
{
	struct lane *l = lane_of(5);
	void **none = (void **)(void *)(l + 60);

	lane_begin(l, l->slots, none);
	assert_false(lane_move_limit(l, 4, 2));
	assert_false(lane_move_limit(l, 4, 0));
	assert_int_equal(load_relaxed(&l->end), 0);    // own
	assert_ptr_equal(load_relaxed(&l->top), none); // own
}

/* As one leaves it who dies behind the move of its end. */
TEST(test_closed_lane_with_end, setup, teardown)
{
	struct lane *l = lane_of(5);

	lane_begin(l, l->slots, (void **)(void *)(l + 60));
	store_relaxed(&l->end, lane_end(l, 4)); // own
	assert_int_equal(lane_limit(l), 0);
	assert_false(lane_move_limit(l, 0, 2));
	assert_int_equal(lane_limit(l), 4);
	assert_true(percpu_push(LANE_AT, &words[0]));
	lane_begin(l, l->slots, (void **)(void *)(l + 60));
	store_relaxed(&l->end, lane_end(l, 4)); // own
	lane_set_limit(l, 0);
	assert_int_equal(lane_limit(l), 0);
	assert_false(percpu_push(LANE_AT, &words[0]));
}

TEST(test_push_repeated, setup, teardown)
{
	struct lane *l = lane_of(5);

	assert_true(percpu_push(LANE_AT, &words[0]));
	assert_false(percpu_push(LANE_AT, &words[0]));
	assert_int_equal(lane_nr(l), 1);
	assert_true(percpu_push(LANE_AT, &words[1]));
	assert_true(percpu_push(LANE_AT, &words[0]));
	assert_ptr_equal(percpu_pop(LANE_AT), &words[0]);
	assert_ptr_equal(percpu_pop(LANE_AT), &words[1]);
	/* What lies above the count is no object in the lane. */
	assert_true(percpu_push(LANE_AT, &words[1]));
	assert_ptr_equal(percpu_pop(LANE_AT), &words[1]);
	assert_true(percpu_push(LANE_AT, &words[1]));
}

#define REMOTE 200 /* words: another lane of the area */

static struct lane *remote_lane(void)
{
	struct lane *l = (void *)((char *)lane_of(5) + (REMOTE - LANE) * 8);

	lane_begin(l, (void **)(l + 1) + 1, (void **)(l + 1));
	return l;
}

/* The id, 5, is compared whole: 5 + 256 is another one. */
TEST(test_push_tagged, setup, teardown)
{
	struct unit_tag tag = { .lane = LANE, .remote = REMOTE, .owner = 5 };
	struct lane *l = lane_of(5), *remote = remote_lane();

	lane_set_limit(remote, 1);
	assert_true(percpu_push_tagged(&tag, &words[0]));
	assert_armed();
	assert_ptr_equal(l->slots[0], &words[0]);
	assert_false(percpu_push_tagged(&tag, &words[0]));
	assert_int_equal(lane_nr(l), 1);
	assert_int_equal(lane_nr(remote), 0);
	tag.owner = 4;
	assert_true(percpu_push_tagged(&tag, &words[1]));
	assert_ptr_equal(remote->slots[0], &words[1]);
	assert_int_equal(lane_nr(remote), 1);
	assert_false(percpu_push_tagged(&tag, &words[2])); /* full */
	lane_set_limit(remote, 2);
	assert_false(percpu_push_tagged(&tag, &words[1]));
	assert_int_equal(lane_nr(l), 1);
	assert_int_equal(lane_nr(remote), 1);
	tag.remote = LANE;
	assert_true(percpu_push_tagged(&tag, &words[3]));
	assert_int_equal(lane_nr(l), 2);
	fake_area()->mm_cid = 5 + 256;
	*table_word(5 + 256) = *table_word(5);
	tag = (struct unit_tag){ .lane = LANE, .remote = REMOTE, .owner = 5 };
	lane_set_limit(remote, 3);
	assert_true(percpu_push_tagged(&tag, &words[6]));
	assert_ptr_equal(remote->slots[1], &words[6]);
	lane_hold(remote, 1);
	tag.owner = 5 + 256;
	assert_true(percpu_push_tagged(&tag, &words[4]));
	assert_int_equal(lane_nr(l), 3);
	lane_set_limit(l, 3);
	assert_false(percpu_push_tagged(&tag, &words[5]));
	assert_int_equal(lane_nr(remote), 1);
}

/* Every count, every size of batch, around the limits. */
TEST(test_pop_batch, setup, teardown)
{
	struct lane *l = lane_of(5);
	unsigned count, most, n, i;
	void *out[LIMIT + 2];

	for (count = 0; count <= LIMIT; count++) {
		for (most = 0; most <= LIMIT + 1; most++) {
			for (i = 0; i < count; i++)
				l->slots[i] = &words[i];
			lane_hold(l, count);
			memset(out, 0, sizeof(out));
			n = (unsigned)min_size(count, most);
			assert_int_equal(percpu_pop_batch(LANE_AT, out, most),
					 n);
			assert_int_equal(lane_nr(l), count - n);
			for (i = 0; i < n; i++)
				assert_ptr_equal(out[i], &words[count - n + i]);
			assert_null(out[n]);
		}
	}
	assert_armed();
}

TEST(test_push_batch, setup, teardown)
{
	unsigned count, most, n, i, limit = 20;
	struct lane *l = lane_of(5);
	void *in[LIMIT];

	for (i = 0; i < LIMIT; i++)
		in[i] = &words[100 + i];
	lane_set_limit(l, limit);
	for (count = 0; count <= limit + 2; count++) {
		for (most = 0; most <= limit + 3; most++) {
			memset(l->slots, 0, LIMIT * sizeof(l->slots[0]));
			for (i = 0; i < count; i++)
				l->slots[i] = &words[i];
			lane_hold(l, count);
			n = count < limit ?
				    (unsigned)min_size(limit - count, most) :
				    0;
			assert_int_equal(percpu_push_batch(LANE_AT, in, most),
					 n);
			assert_int_equal(lane_nr(l), count + n);
			for (i = 0; i < n; i++)
				assert_ptr_equal(l->slots[count + i], in[i]);
			assert_null(l->slots[count + n]);
		}
	}
	assert_armed();
}

/* An id whose word is 0: nothing happens, and the area stays as it was. */
TEST(test_zero_area, setup, teardown)
{
	static char before[REGION_ZERO_SIZE];
	struct lane *l = (void *)(head + LANE * 8);
	void *objects[2] = { &words[0], &words[1] };

	*table_word(5) = 0;
	lane_begin(l, (void **)(l + 1) + 1, (void **)(l + 1));
	memcpy(before, head, sizeof(before));
	assert_null(percpu_pop(LANE_AT));
	assert_false(percpu_push(LANE_AT, &words[0]));
	assert_int_equal(percpu_pop_batch(LANE_AT, objects, 2), 0);
	assert_int_equal(percpu_push_batch(LANE_AT, objects, 2), 0);
	assert_memory_equal(before, head, sizeof(before));
}

TEST(test_id_field, setup, teardown)
{
	assert_true(percpu_push(LANE_AT, &words[0]));
	assert_int_equal(lane_nr(lane_of(5)), 1);
	arm_at(fake_area(), offsetof(struct rseq_area, cpu_id));
	assert_true(percpu_push(LANE_AT, &words[1]));
	assert_int_equal(lane_nr(lane_of(3)), 1);
	fake_area()->cpu_id = REGION_TABLE_WORDS - 1;
	*table_word(REGION_TABLE_WORDS - 1) = REGION_HEAD_SIZE + 9 * AREA_SIZE;
	assert_true(percpu_push(LANE_AT, &words[2]));
	assert_int_equal(lane_nr(lane_of(9)), 1);
}

/* glibc says -1 before the registration and -2 where it failed; mm_cid is 0
 * then, which must not be believed. */
TEST(test_unregistered, setup, teardown)
{
	static const uint32_t bad[] = { UINT32_MAX, UINT32_MAX - 1,
					REGION_TABLE_WORDS, 1u << 31 };
	struct unit_tag tag = { .lane = LANE, .remote = LANE };
	void *objects[2] = { &words[0], &words[1] };
	struct lane *l = lane_of(5);

	lane_hold(l, 1);
	l->slots[0] = &words[7];
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_area()->cpu_id = bad[i];
		assert_null(percpu_pop(LANE_AT));
		assert_false(percpu_push(LANE_AT, &words[0]));
		assert_false(percpu_push_tagged(&tag, &words[0]));
		assert_int_equal(percpu_pop_batch(LANE_AT, objects, 2), 0);
		assert_int_equal(percpu_push_batch(LANE_AT, objects, 2), 0);
		assert_int_equal(lane_nr(l), 1);
		assert_ptr_equal(l->slots[0], &words[7]);
		assert_null(l->slots[1]);
		assert_armed();
	}
	fake_area()->cpu_id = REGION_TABLE_WORDS - 1;
	assert_ptr_equal(percpu_pop(LANE_AT), &words[7]);
}

TEST(test_pop_checked, setup, teardown)
{
	struct rseq_area *self = fake_area();
	struct lane *l = lane_of(200);
	_Atomic(uint64_t) lease = 41;
	void *object = &lease;

	assert_int_equal(percpu_pop_checked(self, l, &lease, 41, &object),
			 PERCPU_EMPTY);
	assert_armed();
	l->slots[0] = &words[0];
	l->slots[1] = &words[1];
	lane_hold(l, 2);
	assert_int_equal(percpu_pop_checked(self, l, &lease, 40, &object),
			 PERCPU_LOST);
	assert_int_equal(lane_nr(l), 2);
	assert_ptr_equal(object, &lease);
	assert_int_equal(percpu_pop_checked(self, l, &lease, 41, &object),
			 PERCPU_DONE);
	assert_ptr_equal(object, &words[1]);
	assert_int_equal(lane_nr(l), 1);
	/* All 64 bits of the lease count. */
	assert_int_equal(
		percpu_pop_checked(self, l, &lease, 41 + (1ull << 32), &object),
		PERCPU_LOST);
	assert_int_equal(lane_nr(l), 1);
}

TEST(test_store_checked, setup, teardown)
{
	uint64_t value = (1ull << 63) + 5;
	_Atomic(uint64_t) lease = 41;
	uint64_t word = 1;

	assert_int_equal(
		percpu_store_checked(fake_area(), &word, value, &lease, 42),
		PERCPU_LOST);
	assert_int_equal(word, 1);
	assert_armed();
	assert_int_equal(
		percpu_store_checked(fake_area(), &word, value, &lease, 41),
		PERCPU_DONE);
	assert_int_equal(word, value);
}

TEST(test_watch, setup, teardown)
{
	_Atomic(uint64_t) word = 1;

	assert_int_equal(percpu_watch(fake_area(), 4, &word, 10), PERCPU_LOST);
	assert_int_equal(percpu_watch(fake_area(), 3, &word, 10), PERCPU_EMPTY);
	assert_armed();
}

TEST_MAIN(NULL, NULL)
