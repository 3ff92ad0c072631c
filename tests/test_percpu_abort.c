/* percpu: the swap; and the processor's trap flag makes a kernel that aborts
 * each section at each of its instructions */
#define _GNU_SOURCE

#include <signal.h>
#include <ucontext.h>

#include "cases.h"
#include "percpu_world.h"

static int words[100];

/* A ring as percpu_swap() wants it, behind a word that is not its. */
static struct {
	uint64_t other, place, mask;
	void **slots;
} swap_ring;
static uint64_t swap_areas[8];

#define SWAP_AT offsetof(__typeof__(swap_ring), place)

static bool swap(void *object, void **old)
{
	return percpu_swap(swap_areas, SWAP_AT, object, old);
}

/* What comes out went in so many swaps before. */
TEST(test_swap, setup, teardown)
{
	void *slots[4] = { NULL }, *old = &words[99];

	swap_ring.place = 0;
	swap_ring.mask = 3 * sizeof(void *);
	swap_ring.slots = slots;
	for (unsigned i = 0; i <= PERCPU_NO_AREA; i++) {
		swap_areas[5] = i;
		assert_false(swap(&words[0], &old));
		assert_armed();
	}
	swap_areas[5] = (uintptr_t)&swap_ring;
	for (unsigned i = 0; i < 11; i++) {
		assert_true(swap(&words[i], &old));
		assert_armed();
		assert_ptr_equal(old, i < 4 ? NULL : &words[i - 4]);
	}
	for (unsigned i = 7; i < 11; i++)
		assert_ptr_equal(slots[i % 4], &words[i]);
	fake_area()->mm_cid = 6;
	assert_false(swap(&words[0], &old));
	fake_area()->mm_cid = 5;
	fake_area()->cpu_id = RSEQ_NEW_THREAD;
	assert_false(swap(&words[0], &old));
	assert_ptr_equal(slots[3], &words[7]);
}

#ifdef __x86_64__
/* Aborts at each instruction of each section in turn. The processor traps
 * behind every instruction, and the handler does what the kernel does when it
 * interrupts a thread there. */

static struct {
	unsigned abort_at; /* the how-manyth instruction of the section */
	unsigned nr_steps; /* instructions of the section so far */
	bool aborted;
	bool stores;	 /* a word; else what the lane has is committed */
	uint64_t at_end; /* what is committed right behind the section */
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
	case 7:
		return swap(&words[9], &object) && object == &words[5];
	case 8:
		return percpu_pop_counted(LANE_AT, 16) == &words[4];
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

	for (unsigned i = 0; i < 5; i++)
		l->slots[i] = &words[i];
	lane_hold(l, 5);
	swap_areas[5] = (uintptr_t)&swap_ring;
	swap_ring.mask = 0;
	swap_ring.slots = (void **)(void *)&step_word;
	step_word = operation == 7 ? (uintptr_t)&words[5] : 5;
	store_relaxed(count_of(5), 1000); // own
	step_by.abort_at = abort_at;
	step_by.nr_steps = 0;
	step_by.aborted = false;
	step_by.stores = operation == 6 || operation == 7;
	step_by.at_end = step_committed();
	fake_area()->rseq_cs = 0;
	step_flag("orq");
	done = step_run(operation);
	step_flag("xorq");
	for (unsigned i = 0; i < lane_nr(l) && i < 5; i++)
		assert_ptr_equal(l->slots[i], &words[i]);
	return done;
}

TEST(test_abort_everywhere, setup, teardown)
{
	const uint64_t results[] = {
		4, 6, 2, 8, 4, 6, 1, (uintptr_t)&words[9], 4
	};
	struct sigaction action = { .sa_sigaction = on_step,
				    .sa_flags = SA_SIGINFO };
	unsigned operation, i;
	uint64_t before;
	bool done;

	sigaction(SIGTRAP, &action, NULL);
	for (operation = 0; operation < 9; operation++) {
		before = operation == 7 ? (uintptr_t)&words[5] : 5;
		for (i = 0; i < 1000; i++) {
			done = step_through(operation, i);
			assert_int_equal(done, !step_by.aborted);
			if (done)
				break;
			assert_int_equal(step_committed(), before);
		}
		assert_in_range(i, 2, 100);
		assert_int_equal(load_relaxed(count_of(5)), // own
				 operation == 8 ? 984 : 1000);
		assert_int_equal(i, step_by.nr_steps);
		assert_int_equal(step_committed(), results[operation]);
		assert_int_equal(step_by.at_end, results[operation]);
	}
	signal(SIGTRAP, SIG_DFL);
}
#endif

TEST_MAIN(NULL, NULL)
