/* percpu: storms of threads that change CPUs, signals, and revoked drains
 *
 * links: real-system
 * timeout: 600
 *
 * The sections arm libc's area. Tokens that the threads push and pop show a
 * lost or a doubled object: whoever has one holds its mark. Threads run for a
 * number of steps, not for a time.
 */
#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../stress/harness/cpus.h"
#include "../stress/harness/random.h"
#include "cases.h"
#include "percpu_world.h"

#define NR_THREADS 6
#define NR_TOKENS 600
#define BATCH 24

#ifdef LANE_INJECT
uint32_t percpu_inject[16] __attribute__((weak));
#define NR_STEPS 20000
#else
#define NR_STEPS 150000
#endif

/* marks[i] is 1 while some thread holds token i. */

static _Atomic(uint32_t) marks[NR_TOKENS];
static _Atomic(uint32_t) nr_faults; /* counter */
static _Atomic(uint32_t) nr_running;

/* Tokens in one thread's hands. */
struct hand {
	void *tokens[NR_TOKENS];
	unsigned n;
};

static void mark(void *token, uint32_t to)
{
	size_t i = (size_t)((_Atomic(uint32_t) *)token - marks);

	if (i >= NR_TOKENS || take_relaxed(&marks[i], to) == to) // counter
		add_relaxed(&nr_faults, 1);                      // counter
}

static void hand_take(struct hand *h, void **tokens, int n)
{
	for (int i = 0; i < n; i++) {
		mark(tokens[i], 1);
		if (h->n < NR_TOKENS)
			h->tokens[h->n++] = tokens[i];
	}
}

static void step_pop(struct hand *h)
{
	void *token = percpu_pop(LANE_AT);

	if (token)
		hand_take(h, &token, 1);
}

/* The last token, by either way; the tag leads to the same lane. */
static bool push_last(const struct hand *h)
{
	struct unit_tag tag = { .lane = LANE, .remote = LANE };
	void *token = h->tokens[h->n - 1];

	if (h->n % 2)
		return percpu_push(LANE_AT, token);
	return percpu_push_tagged(&tag, token);
}

static void step_push(struct hand *h)
{
	if (!h->n)
		return;
	mark(h->tokens[h->n - 1], 0);
	if (push_last(h))
		h->n--;
	else
		mark(h->tokens[h->n - 1], 1);
}

static void step_pop_batch(struct hand *h, unsigned most)
{
	void *out[BATCH];

	hand_take(h, out, percpu_pop_batch(LANE_AT, out, most));
}

static void step_push_batch(struct hand *h, unsigned most)
{
	unsigned n = (unsigned)min_size(most, h->n), i;
	void **in = &h->tokens[h->n - n];
	int done;

	for (i = 0; i < n; i++)
		mark(in[i], 0);
	done = percpu_push_batch(LANE_AT, in, n);
	for (i = done > 0 ? (unsigned)done : 0; i < n; i++)
		mark(in[i], 1);
	if (done <= 0)
		return;
	h->n -= (unsigned)done;
	memmove(in, in + done, (n - (unsigned)done) * sizeof(*in));
}

static void step(struct hand *h, uint64_t random)
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

static cpu_set_t all_cpus;
static struct hand hands[NR_THREADS];
static struct hand signal_hands[NR_THREADS];
static __thread struct hand *signal_hand;
static bool hopping;

static void *storm_thread(void *arg)
{
	struct hand *h = arg;
	uint64_t random = (uint64_t)(h - hands);

	signal_hand = &signal_hands[h - hands];
	for (unsigned i = 0; i < NR_STEPS; i++) {
		step(h, random_next(&random));
		if (hopping && i % 128 == 0)
			cpus_go(0, &all_cpus, random >> 32);
		else if (i % 64 == 0)
			sched_yield();
	}
	sub_relaxed(&nr_running, 1); // counter
	return NULL;
}

static void on_signal(int number)
{
	static __thread uint64_t random;

	(void)number;
	if (signal_hand)
		step(signal_hand, random_next(&random));
}

static void count_tokens(void *const *tokens, uint64_t n, unsigned *seen)
{
	size_t i;

	for (uint64_t k = 0; k < n; k++) {
		i = (size_t)((_Atomic(uint32_t) *)tokens[k] - marks);
		if (i < NR_TOKENS)
			seen[i]++;
	}
}

/* Each token is in one place, and nobody met one that another one held. */
static bool tokens_complete(void)
{
	unsigned seen[NR_TOKENS] = { 0 };

	for (unsigned i = 0; i < NR_THREADS; i++) {
		count_tokens(hands[i].tokens, hands[i].n, seen);
		count_tokens(signal_hands[i].tokens, signal_hands[i].n, seen);
	}
	for (unsigned i = 0; i < NR_AREAS; i++)
		if (lane_nr(lane_of(i)) <= LIMIT)
			count_tokens(lane_of(i)->slots,
				     (unsigned)lane_nr(lane_of(i)), seen);
	for (unsigned i = 0; i < NR_TOKENS; i++)
		if (seen[i] != 1)
			return false;
	return !load_relaxed(&nr_faults); // counter
}

static void deal_tokens(void)
{
	memset(hands, 0, sizeof(hands));
	memset(signal_hands, 0, sizeof(signal_hands));
	store_relaxed(&nr_faults, 0); // own
	for (unsigned i = 0; i < NR_TOKENS; i++) {
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

TEST(test_storm_cpu_id, setup_real, teardown)
{
	storms(offsetof(struct rseq_area, cpu_id));
}

static bool has_mm_cid(void)
{
	return load_relaxed(&rseq_state.mode) == MODE_MM_CID; // hint
}

TEST_WHERE(has_mm_cid(), test_storm_mm_cid, setup_real, teardown)
{
	storms(offsetof(struct rseq_area, mm_cid));
}

TEST(test_storm_signals, setup_real, teardown)
{
	if (!use_index(offsetof(struct rseq_area, cpu_id)))
		skip();
	assert_true(storm(true, true));
}

/* All ids lead to one lane, which rseq then does not protect: the storm must
 * find that, as soon as two of its threads run at the same time, which may be
 * rare on a busy machine. In a child, as anything may happen there. */
static bool storm_finds_race(void)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		for (unsigned id = 0; id < REGION_TABLE_WORDS; id++)
			*table_word(id) = REGION_HEAD_SIZE;
		_exit(storm(false, false) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	return status != 0;
}

TEST(test_storm_finds_races, setup_real, teardown)
{
	if (!use_index(offsetof(struct rseq_area, cpu_id)) ||
	    CPU_COUNT(&all_cpus) < 2)
		skip();
	while (!storm_finds_race())
		;
}

/* A revocable lease: the drainer pops as long as it has it. The revoker takes
 * it away, fences, and pops the rest: each token comes out once, and after the
 * fence the drainer adds nothing. */

#define NR_ROUNDS 300

static _Atomic(uint64_t) lease;
static struct lane *shared;
static pthread_barrier_t round_start, round_end;
static unsigned nr_drained;
static _Atomic(uint32_t) nr_ready; /* the revoker is on a CPU, in that round */

static unsigned drain(uint64_t mine, unsigned most)
{
	enum percpu_result result = PERCPU_DONE;
	unsigned n = 0;
	void *token;

	while (n < most && result != PERCPU_LOST && result != PERCPU_EMPTY) {
		result = percpu_pop_checked(rseq_self(), shared, &lease, mine,
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
	for (unsigned round = 0; round < NR_ROUNDS; round++) {
		pthread_barrier_wait(&round_start);
		while (load_relaxed(&nr_ready) <= round) // hint
			sched_yield();
		nr_drained = drain(2 * round, NR_TOKENS);
		pthread_barrier_wait(&round_end);
	}
	return unused;
}

static bool revoke_once(unsigned round, unsigned nr)
{
	uint64_t random = round;
	unsigned i, mine;
	bool good;

	for (i = 0; i < nr; i++) {
		store_relaxed(&marks[i], 0); // own
		shared->slots[i] = &marks[i];
	}
	lane_hold(shared, nr);
	store_relaxed(&lease, 2 * round); // own
	pthread_barrier_wait(&round_start);
	store_relaxed(&nr_ready, round + 1); // hint
	for (i = 10000000; i && lane_nr(shared) == nr; i--)
		;
	for (i = (unsigned)random_below(&random, 4000); i; i--)
		load_relaxed(&lease);         // hint: passes time
	store_relaxed(&lease, 2 * round + 1); // own
	good = rseq_fence();
	mine = drain(2 * round + 1, NR_TOKENS);
	good &= lane_nr(shared) == 0;
	pthread_barrier_wait(&round_end);
	return good && !load_relaxed(&nr_faults) && // counter
	       mine + nr_drained == nr;
}

TEST(test_revoked_drain, setup_real, teardown)
{
	unsigned round, nr = 256;
	pthread_t thread;
	bool good = true;

	if (!use_index(offsetof(struct rseq_area, cpu_id)) || !rseq_state.fence)
		skip();
	shared = (void *)(head + REGION_HEAD_SIZE);
	lane_begin(shared, (void **)(shared + 1) + 1, (void **)(shared + 1));
	store_relaxed(&nr_faults, 0); // own
	store_relaxed(&nr_ready, 0);  // own
	pthread_barrier_init(&round_start, NULL, 2);
	pthread_barrier_init(&round_end, NULL, 2);
	pthread_create(&thread, NULL, drainer, NULL);
	for (round = 0; round < NR_ROUNDS; round++)
		good &= revoke_once(round, nr);
	pthread_join(thread, NULL);
	assert_true(good);
}

#ifdef LANE_INJECT
static void inject(unsigned point, uint32_t rounds)
{
	memset(percpu_inject, 0, sizeof(percpu_inject));
	percpu_inject[point] = rounds;
}

TEST(test_inject_storms, setup_real, teardown)
{
	static const size_t fields[] = { offsetof(struct rseq_area, cpu_id),
					 offsetof(struct rseq_area, mm_cid) };

	for (unsigned i = 0; i < 1 + (unsigned)has_mm_cid(); i++) {
		for (unsigned point = 0; point <= 6; point++) {
			setup_real(NULL);
			if (!use_index(fields[i]))
				skip();
			inject(point, point == 6 ? 300 : 3000);
			assert_true(storm(true, point % 2));
		}
	}
	inject(0, 0);
}

TEST(test_inject_drain, setup_real, teardown)
{
	for (unsigned point = 7; point <= 9; point++) {
		setup_real(NULL);
		inject(point, 3000);
		test_revoked_drain();
	}
	inject(0, 0);
}
#endif

TEST_MAIN(NULL, NULL)
