/* percpu: each operation alone, then storms of threads that change CPUs
 *
 * links: real-system
 *
 * The head of a region is built by hand. In the first half of the tests the
 * sections arm an area that no kernel knows and that says what the test likes;
 * in the second half they arm libc's. Tokens that the threads push and pop
 * show a lost or a doubled object: whoever has one holds its mark. Threads run
 * for a number of steps, not for a time.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bits.h"
#include "cpucache/rseq.h"

#define NR_AREAS 256
#define AREA_SIZE 4096
#define LANE 7 /* words */
#define LIMIT 64
#define NR_THREADS 6
#define NR_TOKENS 600
#define BATCH 24

#ifdef LANE_INJECT
uint32_t percpu_inject[16] __attribute__((weak));
#define NR_STEPS 20000
#else
#define NR_STEPS 150000
#endif

static char *head;

static uint64_t *table_word(unsigned id)
{
	return (uint64_t *)(void *)(head + REGION_TABLE_OFFSET) + id;
}

static struct lane *lane_of(unsigned id)
{
	return (void *)(head + REGION_HEAD_SIZE + id * AREA_SIZE + LANE * 8);
}

static struct rseq_area *fake_area(void)
{
	static __thread struct rseq_area area;

	return &area;
}

static void arm_at(void *area, size_t id_field)
{
	char *cs = (char *)area + offsetof(struct rseq_area, rseq_cs);

	anchor.rseq_cs = cs - percpu_thread_pointer();
	anchor.id = (char *)area + id_field - percpu_thread_pointer();
}

static int setup(void **unused)
{
	size_t size = REGION_HEAD_SIZE + NR_AREAS * AREA_SIZE;
	unsigned id;

	(void)unused;
	head = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(head, MAP_FAILED);
	anchor.base = head;
	for (id = 0; id < NR_AREAS; id++) {
		*table_word(id) = REGION_HEAD_SIZE + id * AREA_SIZE;
		store_relaxed(&lane_of(id)->limit, LIMIT); // own
	}
	*fake_area() = (struct rseq_area){ .cpu_id = 3, .mm_cid = 5 };
	arm_at(fake_area(), offsetof(struct rseq_area, mm_cid));
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	return munmap(head, REGION_HEAD_SIZE + NR_AREAS * AREA_SIZE);
}

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

static int words[NR_TOKENS];

static void test_pop(void **unused)
{
	struct lane *l = lane_of(5);

	(void)unused;
	assert_null(percpu_pop(LANE));
	assert_armed();
	assert_int_equal(l->count, 0);
	l->slots[0] = &words[0];
	l->slots[1] = &words[1];
	l->count = 2;
	assert_ptr_equal(percpu_pop(LANE), &words[1]);
	assert_armed();
	assert_int_equal(l->count, 1);
	assert_ptr_equal(percpu_pop(LANE), &words[0]);
	assert_int_equal(l->count, 0);
	assert_null(percpu_pop(LANE));
	assert_int_equal(l->count, 0);
	assert_int_equal(load_relaxed(&l->limit), LIMIT); // own
}

static void test_push(void **unused)
{
	struct lane *l = lane_of(5);
	unsigned i;

	(void)unused;
	for (i = 0; i < LIMIT; i++) {
		assert_true(percpu_push(LANE, &words[i]));
		assert_int_equal(l->count, i + 1);
		assert_ptr_equal(l->slots[i], &words[i]);
	}
	assert_armed();
	l->slots[LIMIT] = NULL;
	assert_false(percpu_push(LANE, &words[i]));
	assert_int_equal(l->count, LIMIT);
	assert_null(l->slots[LIMIT]);
	store_relaxed(&l->limit, 0); // own
	assert_false(percpu_push(LANE, &words[i]));
	assert_int_equal(l->count, LIMIT);
	while (i--)
		assert_ptr_equal(percpu_pop(LANE), &words[i]);
}

static void test_push_repeated(void **unused)
{
	struct lane *l = lane_of(5);

	(void)unused;
	assert_true(percpu_push(LANE, &words[0]));
	assert_false(percpu_push(LANE, &words[0]));
	assert_int_equal(l->count, 1);
	assert_true(percpu_push(LANE, &words[1]));
	assert_true(percpu_push(LANE, &words[0]));
	assert_ptr_equal(percpu_pop(LANE), &words[0]);
	assert_ptr_equal(percpu_pop(LANE), &words[1]);
	/* What lies above the count is no object in the lane. */
	assert_true(percpu_push(LANE, &words[1]));
	assert_ptr_equal(percpu_pop(LANE), &words[1]);
	assert_true(percpu_push(LANE, &words[1]));
}

/* Every count, every size of batch, around the limits. */
static void test_pop_batch(void **unused)
{
	struct lane *l = lane_of(5);
	unsigned count, most, n, i;
	void *out[LIMIT + 2];

	(void)unused;
	for (count = 0; count <= LIMIT; count++) {
		for (most = 0; most <= LIMIT + 1; most++) {
			for (i = 0; i < count; i++)
				l->slots[i] = &words[i];
			l->count = count;
			memset(out, 0, sizeof(out));
			n = (unsigned)min_size(count, most);
			assert_int_equal(percpu_pop_batch(LANE, out, most), n);
			assert_int_equal(l->count, count - n);
			for (i = 0; i < n; i++)
				assert_ptr_equal(out[i], &words[count - n + i]);
			assert_null(out[n]);
		}
	}
	assert_armed();
}

static void test_push_batch(void **unused)
{
	unsigned count, most, n, i, limit = 20;
	struct lane *l = lane_of(5);
	void *in[LIMIT];

	(void)unused;
	for (i = 0; i < LIMIT; i++)
		in[i] = &words[100 + i];
	store_relaxed(&l->limit, limit); // own
	for (count = 0; count <= limit + 2; count++) {
		for (most = 0; most <= limit + 3; most++) {
			memset(l->slots, 0, LIMIT * sizeof(l->slots[0]));
			l->count = count;
			n = count < limit ?
				    (unsigned)min_size(limit - count, most) :
				    0;
			assert_int_equal(percpu_push_batch(LANE, in, most), n);
			assert_int_equal(l->count, count + n);
			for (i = 0; i < n; i++)
				assert_ptr_equal(l->slots[count + i], in[i]);
			assert_null(l->slots[count + n]);
		}
	}
	assert_armed();
}

/* An id whose word is 0: nothing happens, and the zeros stay zeros. */
static void test_zero_area(void **unused)
{
	void *objects[2] = { &words[0], &words[1] };
	size_t i;

	(void)unused;
	*table_word(5) = 0;
	assert_null(percpu_pop(LANE));
	assert_false(percpu_push(LANE, &words[0]));
	assert_int_equal(percpu_pop_batch(LANE, objects, 2), 0);
	assert_int_equal(percpu_push_batch(LANE, objects, 2), 0);
	for (i = 0; i < REGION_ZERO_SIZE; i++)
		assert_int_equal(head[i], 0);
}

static void test_id_field(void **unused)
{
	(void)unused;
	assert_true(percpu_push(LANE, &words[0]));
	assert_int_equal(lane_of(5)->count, 1);
	arm_at(fake_area(), offsetof(struct rseq_area, cpu_id));
	assert_true(percpu_push(LANE, &words[1]));
	assert_int_equal(lane_of(3)->count, 1);
	fake_area()->cpu_id = REGION_TABLE_WORDS - 1;
	*table_word(REGION_TABLE_WORDS - 1) =
		REGION_HEAD_SIZE + 9 * AREA_SIZE;
	assert_true(percpu_push(LANE, &words[2]));
	assert_int_equal(lane_of(9)->count, 1);
}

/* glibc says -1 before the registration and -2 where it failed; mm_cid is 0
 * then, which must not be believed. */
static void test_unregistered(void **unused)
{
	static const uint32_t bad[] = { UINT32_MAX, UINT32_MAX - 1,
					REGION_TABLE_WORDS, 1u << 31 };
	void *objects[2] = { &words[0], &words[1] };
	struct lane *l = lane_of(5);
	unsigned i;

	(void)unused;
	l->count = 1;
	l->slots[0] = &words[7];
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_area()->cpu_id = bad[i];
		assert_null(percpu_pop(LANE));
		assert_false(percpu_push(LANE, &words[0]));
		assert_int_equal(percpu_pop_batch(LANE, objects, 2), 0);
		assert_int_equal(percpu_push_batch(LANE, objects, 2), 0);
		assert_int_equal(l->count, 1);
		assert_ptr_equal(l->slots[0], &words[7]);
		assert_null(l->slots[1]);
		assert_armed();
	}
	fake_area()->cpu_id = REGION_TABLE_WORDS - 1;
	assert_ptr_equal(percpu_pop(LANE), &words[7]);
}

static void test_pop_checked(void **unused)
{
	struct rseq_area *self = fake_area();
	struct lane *l = lane_of(200);
	_Atomic(uint64_t) right = 41;
	void *object = &right;

	(void)unused;
	assert_int_equal(percpu_pop_checked(self, l, &right, 41, &object),
			 PERCPU_EMPTY);
	assert_armed();
	l->slots[0] = &words[0];
	l->slots[1] = &words[1];
	l->count = 2;
	assert_int_equal(percpu_pop_checked(self, l, &right, 40, &object),
			 PERCPU_LOST);
	assert_int_equal(l->count, 2);
	assert_ptr_equal(object, &right);
	assert_int_equal(percpu_pop_checked(self, l, &right, 41, &object),
			 PERCPU_DONE);
	assert_ptr_equal(object, &words[1]);
	assert_int_equal(l->count, 1);
	/* All 64 bits of the right count. */
	assert_int_equal(percpu_pop_checked(self, l, &right, 41 + (1ull << 32),
					    &object),
			 PERCPU_LOST);
	assert_int_equal(l->count, 1);
}

static void test_store_checked(void **unused)
{
	uint64_t value = (1ull << 63) + 5;
	_Atomic(uint64_t) right = 41;
	uint64_t word = 1;

	(void)unused;
	assert_int_equal(percpu_store_checked(fake_area(), &word, value, &right,
					      42),
			 PERCPU_LOST);
	assert_int_equal(word, 1);
	assert_armed();
	assert_int_equal(percpu_store_checked(fake_area(), &word, value, &right,
					      41),
			 PERCPU_DONE);
	assert_int_equal(word, value);
}

static void test_watch(void **unused)
{
	_Atomic(uint64_t) word = 1;

	(void)unused;
	assert_int_equal(percpu_watch(fake_area(), 4, &word, 10), PERCPU_LOST);
	assert_int_equal(percpu_watch(fake_area(), 3, &word, 10), PERCPU_EMPTY);
	assert_armed();
}

#ifdef __x86_64__
/* Aborts at each instruction of each section in turn. The processor traps
 * behind every instruction, and the handler does what the kernel does when it
 * interrupts a thread there. */

static struct {
	unsigned abort_at;   /* the how-manyth instruction of the section */
	unsigned nr_steps;   /* instructions of the section so far */
	bool aborted;
	uint64_t *committed; /* what the commit writes */
	uint64_t at_end;     /* its value right behind the section */
} step_by;

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
		step_by.at_end = *step_by.committed;
	if (ip - cs->start >= cs->length ||
	    step_by.nr_steps++ != step_by.abort_at)
		return;
	frame->uc_mcontext.gregs[REG_RIP] = (greg_t)cs->abort;
	fake_area()->rseq_cs = 0;
	step_by.aborted = true;
}

/* The trap flag, without a use of the stack's red zone. */
#define step_flag(instruction)                                           \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\t"          \
			 instruction " $0x100, (%%rsp)\n\tpopfq\n\t"       \
			 "leaq 128(%%rsp), %%rsp" ::: "memory", "cc")

static void *step_objects[3] = { &words[10], &words[11], &words[12] };
static _Atomic(uint64_t) step_right = 9;
static uint64_t step_word;

static bool step_run(unsigned operation)
{
	struct lane *l = lane_of(5);
	void *object;

	switch (operation) {
	case 0:
		return percpu_pop(LANE) == &words[4];
	case 1:
		return percpu_push(LANE, &words[9]);
	case 2:
		return percpu_pop_batch(LANE, step_objects, 3) == 3;
	case 3:
		return percpu_push_batch(LANE, step_objects, 3) == 3;
	case 4:
		return percpu_pop_checked(fake_area(), l, &step_right, 9,
					  &object) == PERCPU_DONE;
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
	l->count = 5;
	step_word = 5;
	step_by.abort_at = abort_at;
	step_by.nr_steps = 0;
	step_by.aborted = false;
	step_by.committed = operation < 5 ? &l->count : &step_word;
	step_by.at_end = 5;
	fake_area()->rseq_cs = 0;
	step_flag("orq");
	done = step_run(operation);
	step_flag("xorq");
	for (i = 0; i < l->count && i < 5; i++)
		assert_ptr_equal(l->slots[i], &words[i]);
	return done;
}

static void test_abort_everywhere(void **unused)
{
	static const uint64_t results[] = { 4, 6, 2, 8, 4, 1 };
	struct sigaction action = { .sa_sigaction = on_step,
				    .sa_flags = SA_SIGINFO };
	unsigned operation, i;
	bool done;

	(void)unused;
	sigaction(SIGTRAP, &action, NULL);
	for (operation = 0; operation < 6; operation++) {
		for (i = 0; i < 1000; i++) {
			done = step_through(operation, i);
			assert_int_equal(done, !step_by.aborted);
			if (done)
				break;
			assert_int_equal(*step_by.committed, 5);
		}
		assert_in_range(i, 2, 100);
		assert_int_equal(i, step_by.nr_steps);
		assert_int_equal(*step_by.committed, results[operation]);
		assert_int_equal(step_by.at_end, results[operation]);
	}
	signal(SIGTRAP, SIG_DFL);
}
#endif

/* Storms: marks[i] is 1 while some thread holds token i. */

static _Atomic(uint32_t) marks[NR_TOKENS];
static _Atomic(uint32_t) nr_faults; /* counter */
static _Atomic(uint32_t) nr_running;

/* Tokens in one thread's hands. */
struct hand {
	void *tokens[NR_TOKENS];
	unsigned n;
};

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

static void mark(void *token, uint32_t to)
{
	size_t i = (size_t)((_Atomic(uint32_t) *)token - marks);

	if (i >= NR_TOKENS || take_relaxed(&marks[i], to) == to) // counter
		add_relaxed(&nr_faults, 1);			 // counter
}

static void hand_take(struct hand *h, void **tokens, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		mark(tokens[i], 1);
		if (h->n < NR_TOKENS)
			h->tokens[h->n++] = tokens[i];
	}
}

static void step_pop(struct hand *h)
{
	void *token = percpu_pop(LANE);

	if (token)
		hand_take(h, &token, 1);
}

static void step_push(struct hand *h)
{
	if (!h->n)
		return;
	mark(h->tokens[h->n - 1], 0);
	if (percpu_push(LANE, h->tokens[h->n - 1]))
		h->n--;
	else
		mark(h->tokens[h->n - 1], 1);
}

static void step_pop_batch(struct hand *h, unsigned most)
{
	void *out[BATCH];

	hand_take(h, out, percpu_pop_batch(LANE, out, most));
}

static void step_push_batch(struct hand *h, unsigned most)
{
	unsigned n = (unsigned)min_size(most, h->n), i;
	void **in = &h->tokens[h->n - n];
	int done;

	for (i = 0; i < n; i++)
		mark(in[i], 0);
	done = percpu_push_batch(LANE, in, n);
	for (i = done > 0 ? (unsigned)done : 0; i < n; i++)
		mark(in[i], 1);
	if (done <= 0)
		return;
	h->n -= (unsigned)done;
	memmove(in, in + done, (n - (unsigned)done) * sizeof(*in));
}

static void step(struct hand *h, uint32_t random)
{
	unsigned most = random >> 8 & 15;

	switch (random & 7) {
	case 0:
		return step_pop_batch(h, most);
	case 1:
		return step_push_batch(h, most);
	case 2 ... 4:
		return step_pop(h);
	default:
		return step_push(h);
	}
}

/* To the CPU that follows the n-th one of the mask. */
static void hop(const cpu_set_t *mask, unsigned n)
{
	unsigned cpu, skip_over = n % (unsigned)CPU_COUNT(mask);
	cpu_set_t one;

	for (cpu = 0; !CPU_ISSET(cpu, mask) || skip_over--; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static cpu_set_t all_cpus;
static struct hand hands[NR_THREADS];
static struct hand signal_hands[NR_THREADS];
static __thread struct hand *signal_hand;
static bool hopping;

static void *storm_thread(void *arg)
{
	struct hand *h = arg;
	uint32_t random = 1 + (uint32_t)(h - hands) * 7919;
	unsigned i;

	signal_hand = &signal_hands[h - hands];
	for (i = 0; i < NR_STEPS; i++) {
		step(h, next_random(&random));
		if (hopping && i % 128 == 0)
			hop(&all_cpus, random >> 4);
		else if (i % 64 == 0)
			sched_yield();
	}
	sub_relaxed(&nr_running, 1); // counter
	return NULL;
}

static void on_signal(int number)
{
	static __thread uint32_t random = 77;

	(void)number;
	if (signal_hand)
		step(signal_hand, next_random(&random));
}

static void count_tokens(void *const *tokens, uint64_t n, unsigned *seen)
{
	size_t i;
	uint64_t k;

	for (k = 0; k < n; k++) {
		i = (size_t)((_Atomic(uint32_t) *)tokens[k] - marks);
		if (i < NR_TOKENS)
			seen[i]++;
	}
}

/* Each token is in one place, and nobody met one that another one held. */
static bool tokens_complete(void)
{
	unsigned seen[NR_TOKENS] = { 0 };
	unsigned i;

	for (i = 0; i < NR_THREADS; i++) {
		count_tokens(hands[i].tokens, hands[i].n, seen);
		count_tokens(signal_hands[i].tokens, signal_hands[i].n, seen);
	}
	for (i = 0; i < NR_AREAS; i++)
		if (lane_of(i)->count <= LIMIT)
			count_tokens(lane_of(i)->slots, lane_of(i)->count,
				     seen);
	for (i = 0; i < NR_TOKENS; i++)
		if (seen[i] != 1)
			return false;
	return !load_relaxed(&nr_faults); // counter
}

static void deal_tokens(void)
{
	unsigned i;

	memset(hands, 0, sizeof(hands));
	memset(signal_hands, 0, sizeof(signal_hands));
	store_relaxed(&nr_faults, 0); // own
	for (i = 0; i < NR_TOKENS; i++) {
		struct hand *h = &hands[i % NR_THREADS];

		store_relaxed(&marks[i], 1); // own
		h->tokens[h->n++] = &marks[i];
	}
}

static bool storm(bool hops, bool signals)
{
	pthread_t threads[NR_THREADS];
	unsigned i;

	deal_tokens();
	hopping = hops;
	store_relaxed(&nr_running, NR_THREADS); // own
	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, storm_thread, &hands[i]);
	for (i = 0; signals && load_relaxed(&nr_running); i++) { // counter
		pthread_kill(threads[i % NR_THREADS], SIGUSR1);
		if (i % 16 == 0)
			sched_yield();
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	return tokens_complete();
}

static int setup_real(void **unused)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };

	setup(unused);
	rseq_start();
	sigaction(SIGUSR1, &action, NULL);
	return sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
}

extern const ptrdiff_t __rseq_offset weak_import;

/* rseq_start() decided once; here only the index changes. */
static bool use_index(size_t field)
{
	if (load_relaxed(&rseq_state.mode) == MODE_DIRECT) // hint
		return false;
	anchor.rseq_cs = __rseq_offset + 8;
	anchor.id = __rseq_offset + (int64_t)field;
	return true;
}

static void storms(size_t field)
{
	if (!use_index(field))
		skip();
	assert_true(storm(false, false));
	setup_real(NULL);
	use_index(field);
	assert_true(storm(true, false));
}

static void test_storm_cpu_id(void **unused)
{
	(void)unused;
	storms(offsetof(struct rseq_area, cpu_id));
}

static bool has_mm_cid(void)
{
	return load_relaxed(&rseq_state.mode) == MODE_MM_CID; // hint
}

static void test_storm_mm_cid(void **unused)
{
	(void)unused;
	if (!has_mm_cid())
		skip();
	storms(offsetof(struct rseq_area, mm_cid));
}

static void test_storm_signals(void **unused)
{
	(void)unused;
	if (!use_index(offsetof(struct rseq_area, cpu_id)))
		skip();
	assert_true(storm(true, true));
}

/* All ids lead to one lane, which rseq then does not protect: the storm must
 * find that. In a child, as anything may happen there. */
static bool storm_finds_race(void)
{
	pid_t child = fork();
	int status = -1;
	unsigned id;

	if (!child) {
		for (id = 0; id < REGION_TABLE_WORDS; id++)
			*table_word(id) = REGION_HEAD_SIZE;
		_exit(storm(false, false) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	return status != 0;
}

static void test_storm_finds_races(void **unused)
{
	unsigned round = 0;

	(void)unused;
	if (!use_index(offsetof(struct rseq_area, cpu_id)) ||
	    CPU_COUNT(&all_cpus) < 2)
		skip();
	while (round < 100 && !storm_finds_race())
		round++;
	assert_true(round < 100);
}

/* A revocable right: the drainer pops as long as it has it. The revoker takes
 * it away, fences, and pops the rest: each token comes out once, and after the
 * fence the drainer adds nothing. */

#define NR_ROUNDS 300

static _Atomic(uint64_t) right;
static struct lane *shared;
static pthread_barrier_t round_start, round_end;
static unsigned nr_drained;

static unsigned drain(uint64_t mine, unsigned most)
{
	enum percpu_result result = PERCPU_DONE;
	unsigned n = 0;
	void *token;

	while (n < most && result != PERCPU_LOST && result != PERCPU_EMPTY) {
		result = percpu_pop_checked(rseq_self(), shared, &right, mine,
					    &token);
		if (result == PERCPU_DONE) {
			mark(token, 1);
			n++;
		}
	}
	return n;
}

static void *drainer(void *unused)
{
	unsigned round;

	for (round = 0; round < NR_ROUNDS; round++) {
		pthread_barrier_wait(&round_start);
		nr_drained = drain(2 * round, NR_TOKENS);
		pthread_barrier_wait(&round_end);
	}
	return unused;
}

static void revoke_once(unsigned round, unsigned nr)
{
	uint32_t random = round + 1;
	unsigned i, mine;

	for (i = 0; i < nr; i++) {
		store_relaxed(&marks[i], 0); // own
		shared->slots[i] = &marks[i];
	}
	shared->count = nr;
	store_relaxed(&right, 2 * round); // own
	pthread_barrier_wait(&round_start);
	for (i = next_random(&random) % 4000; i; i--)
		load_relaxed(&right);		  // hint: passes time
	store_relaxed(&right, 2 * round + 1); // own
	assert_true(rseq_fence());
	mine = drain(2 * round + 1, NR_TOKENS);
	assert_int_equal(shared->count, 0);
	pthread_barrier_wait(&round_end);
	assert_int_equal(load_relaxed(&nr_faults), 0); // counter
	assert_int_equal(mine + nr_drained, nr);
}

static void test_revoked_drain(void **unused)
{
	unsigned round, nr = 256;
	pthread_t thread;

	(void)unused;
	if (!use_index(offsetof(struct rseq_area, cpu_id)) ||
	    !rseq_state.fence)
		skip();
	shared = (void *)(head + REGION_HEAD_SIZE);
	store_relaxed(&nr_faults, 0); // own
	pthread_barrier_init(&round_start, NULL, 2);
	pthread_barrier_init(&round_end, NULL, 2);
	pthread_create(&thread, NULL, drainer, NULL);
	for (round = 0; round < NR_ROUNDS; round++)
		revoke_once(round, nr);
	pthread_join(thread, NULL);
}

#ifdef LANE_INJECT
static void inject(unsigned point, uint32_t rounds)
{
	memset(percpu_inject, 0, sizeof(percpu_inject));
	percpu_inject[point] = rounds;
}

static void test_inject_storms(void **unused)
{
	static const size_t fields[] = { offsetof(struct rseq_area, cpu_id),
					 offsetof(struct rseq_area, mm_cid) };
	unsigned point, i;

	for (i = 0; i < 1 + (unsigned)has_mm_cid(); i++) {
		for (point = 0; point <= 6; point++) {
			setup_real(unused);
			if (!use_index(fields[i]))
				skip();
			inject(point, point == 6 ? 300 : 3000);
			assert_true(storm(true, point % 2));
		}
	}
	inject(0, 0);
}

static void test_inject_drain(void **unused)
{
	unsigned point;

	for (point = 7; point <= 9; point++) {
		setup_real(unused);
		inject(point, 3000);
		test_revoked_drain(unused);
	}
	inject(0, 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_push, setup, teardown),
		cmocka_unit_test_setup_teardown(test_push_repeated, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_pop_batch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_push_batch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_zero_area, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_id_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unregistered, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_pop_checked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_store_checked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
#ifdef __x86_64__
		cmocka_unit_test_setup_teardown(test_abort_everywhere, setup,
						teardown),
#endif
		cmocka_unit_test_setup_teardown(test_storm_cpu_id, setup_real,
						teardown),
		cmocka_unit_test_setup_teardown(test_storm_mm_cid, setup_real,
						teardown),
		cmocka_unit_test_setup_teardown(test_storm_signals, setup_real,
						teardown),
		cmocka_unit_test_setup_teardown(test_storm_finds_races,
						setup_real, teardown),
		cmocka_unit_test_setup_teardown(test_revoked_drain, setup_real,
						teardown),
#ifdef LANE_INJECT
		cmocka_unit_test_setup_teardown(test_inject_storms, setup_real,
						teardown),
		cmocka_unit_test_setup_teardown(test_inject_drain, setup_real,
						teardown),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
