/* percpu: each operation alone
 *
 * The sections arm an area that no kernel knows and that says what the test
 * likes. In the last test the processor's trap flag makes the kernel of it: it
 * aborts each section at each of its instructions. */
#define _GNU_SOURCE

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "cases.h"
#include "percpu_world.h"

#define NR_WORDS 600

struct descriptor {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

/* What was armed last, as the kernel reads it. */
static void assert_armed(void)
{
	struct descriptor *cs = (void *)(uintptr_t)fake_area()->rseq_cs;
	uint32_t signature;

	assert_non_null(cs);
	assert_int_equal((uintptr_t)cs % 32, 0);
	assert_int_equal(cs->version, 0);
	assert_int_equal(cs->flags, 0);
	assert_true(cs->length > 0 && cs->length < 400);
	assert_true(cs->abort - cs->start >= cs->length);
	memcpy(&signature, (char *)(uintptr_t)cs->abort - 4, 4);
	assert_int_equal(signature, PERCPU_SIGNATURE);
	fake_area()->rseq_cs = 0;
}

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
	store_relaxed(&l->end, 0);                     // own
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
			n = count < limit
				    ? (unsigned)min_size(limit - count, most)
				    : 0;
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
	unsigned i;

	lane_hold(l, 1);
	l->slots[0] = &words[7];
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
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

#ifdef __x86_64__
/* Aborts at each instruction of each section in turn. The processor traps
 * behind every instruction, and the handler does what the kernel does when it
 * interrupts a thread there. */

static struct {
	unsigned abort_at; /* the how-manyth instruction of the section */
	unsigned nr_steps; /* instructions of the section so far */
	bool aborted;
	bool stores;	     /* a word; else what the lane has is committed */
	uint64_t at_end;     /* what is committed right behind the section */
} step_by;

static uint64_t step_word;

static uint64_t step_committed(void)
{
	return step_by.stores ? step_word : lane_nr(lane_of(5));
}

static void on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	uint64_t ip = (uint64_t)frame->uc_mcontext.gregs[REG_RIP];
	struct descriptor *cs = (void *)(uintptr_t)fake_area()->rseq_cs;

	(void)number;
	(void)info;
	if (!cs)
		return;
	if (ip == cs->start + cs->length)
		step_by.at_end = step_committed();
	if (ip - cs->start >= cs->length ||
	    step_by.nr_steps++ != step_by.abort_at)
		return;
	frame->uc_mcontext.gregs[REG_RIP] = (greg_t)cs->abort;
	fake_area()->rseq_cs = 0;
	step_by.aborted = true;
}

/* The trap flag, without a use of the stack's red zone. */
#define step_flag(instruction)                                               \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\t" instruction \
			 " $0x100, (%%rsp)\n\tpopfq\n\t"                     \
			 "leaq 128(%%rsp), %%rsp" ::                         \
				 : "memory", "cc")

static void *step_objects[3] = { &words[10], &words[11], &words[12] };
static _Atomic(uint64_t) step_right = 9;

static bool step_run(unsigned operation)
{
	struct unit_tag tag = { .lane = 0, .remote = LANE, .owner = 6 };
	struct lane *l = lane_of(5);
	void *object;

	switch (operation) {
	case 0:
		return percpu_pop(LANE_AT) == &words[4];
	case 1:
		return percpu_push(LANE_AT, &words[9]);
	case 2:
		return percpu_pop_batch(LANE_AT, step_objects, 3) == 3;
	case 3:
		return percpu_push_batch(LANE_AT, step_objects, 3) == 3;
	case 4:
		return percpu_pop_checked(fake_area(), l, &step_right, 9,
					  &object) == PERCPU_DONE;
	case 5:
		return percpu_push_tagged(&tag, &words[9]);
	default:
		return percpu_store_checked(fake_area(), &step_word, 1,
					    &step_right, 9) == PERCPU_DONE;
	}
}

/* Whether the operation was done. */
static bool step_through(unsigned operation, unsigned abort_at)
{
	struct lane *l = lane_of(5);
	bool done;
	unsigned i;

	for (i = 0; i < 5; i++)
		l->slots[i] = &words[i];
	lane_hold(l, 5);
	step_word = 5;
	step_by.abort_at = abort_at;
	step_by.nr_steps = 0;
	step_by.aborted = false;
	step_by.stores = operation == 6;
	step_by.at_end = 5;
	fake_area()->rseq_cs = 0;
	step_flag("orq");
	done = step_run(operation);
	step_flag("xorq");
	for (i = 0; i < lane_nr(l) && i < 5; i++)
		assert_ptr_equal(l->slots[i], &words[i]);
	return done;
}

TEST(test_abort_everywhere, setup, teardown)
{
	static const uint64_t results[] = { 4, 6, 2, 8, 4, 6, 1 };
	struct sigaction action = { .sa_sigaction = on_step,
				    .sa_flags = SA_SIGINFO };
	unsigned operation, i;
	bool done;

	sigaction(SIGTRAP, &action, NULL);
	for (operation = 0; operation < 7; operation++) {
		for (i = 0; i < 1000; i++) {
			done = step_through(operation, i);
			assert_int_equal(done, !step_by.aborted);
			if (done)
				break;
			assert_int_equal(step_committed(), 5);
		}
		assert_in_range(i, 2, 100);
		assert_int_equal(i, step_by.nr_steps);
		assert_int_equal(step_committed(), results[operation]);
		assert_int_equal(step_by.at_end, results[operation]);
	}
	signal(SIGTRAP, SIG_DFL);
}

/* Whether it gave the object; an abort may count the size nevertheless. */
static bool counted_through(unsigned abort_at)
{
	struct lane *l = lane_of(5);
	bool done;

	l->slots[0] = &words[0];
	lane_hold(l, 1);
	store_relaxed(count_of(5), 1000); // own
	step_by.abort_at = abort_at;
	step_by.nr_steps = 0;
	step_by.aborted = step_by.stores = false;
	step_by.at_end = 1;
	fake_area()->rseq_cs = 0;
	step_flag("orq");
	done = percpu_pop_counted(LANE_AT, 16) == &words[0];
	step_flag("xorq");
	return done;
}

TEST(test_abort_of_counted_pop, setup, teardown)
{
	struct sigaction action = { .sa_sigaction = on_step,
				    .sa_flags = SA_SIGINFO };
	int64_t left = 1000;
	unsigned i;

	sigaction(SIGTRAP, &action, NULL);
	for (i = 0; i < 1000 && !counted_through(i); i++) {
		assert_true(step_by.aborted);
		assert_int_equal(lane_nr(lane_of(5)), 1);
		assert_in_range(left - load_relaxed(count_of(5)), 0, 16); // own
		left = load_relaxed(count_of(5));			  // own
		assert_true(left == 1000 || left == 984);
	}
	signal(SIGTRAP, SIG_DFL);
	assert_in_range(i, 2, 100);
	assert_int_equal(lane_nr(lane_of(5)), 0);
	assert_int_equal(load_relaxed(count_of(5)), 984); // own
}
#endif

TEST_MAIN(NULL, NULL)
