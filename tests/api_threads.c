/* modes: all */
/* threads: thousands of them, blocks that move between them, patterns */
#include "expect.h"

static void create(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstacksize(&attr, 256 << 10));
	must(!pthread_create(thread, &attr, run, arg));
	pthread_attr_destroy(&attr);
}

static void run_all(pthread_t *threads, size_t n, void *(*run)(void *))
{
	for (size_t i = 0; i < n; i++)
		create(&threads[i], run, (void *)i);
	threads_join(threads, n);
}

static char *left[4000];

/* Frees what a thread before it left, leaves a block to one behind it. */
static void *short_life(void *arg)
{
	size_t i = (size_t)arg;
	char *blocks[20];

	for (size_t k = 0; k < ARRAY_SIZE(blocks); k++) {
		blocks[k] = malloc(k * 40 + 1);
		pattern_fill(blocks[k], k * 40 + 1, i + k);
	}
	for (size_t k = 0; k < ARRAY_SIZE(blocks); k++)
		pattern_free(blocks[k], k * 40 + 1, i + k);
	if (i >= 100)
		free(__atomic_exchange_n(&left[i - 100], NULL,
					 __ATOMIC_ACQ_REL));
	__atomic_store_n(&left[i], malloc(i), __ATOMIC_RELEASE);
	return NULL;
}

/* Threads leave nothing behind in the heap. */
TEST(test_thousands)
{
	static pthread_t threads[50];
	uint64_t before = have_lane() ? stats_now().live_size : 0;

	for (size_t i = 0; i < ARRAY_SIZE(left); i += ARRAY_SIZE(threads)) {
		for (size_t k = 0; k < ARRAY_SIZE(threads); k++)
			create(&threads[k], short_life, (void *)(i + k));
		for (size_t k = 0; k < ARRAY_SIZE(threads); k++)
			pthread_join(threads[k], NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		free(left[i]);
	/* libc keeps a few stacks with their vectors */
	if (have_lane())
		assert_true(stats_now().live_size < before + MIB);
}

static pthread_barrier_t all_sleep, all_end;

static void *touch_and_sleep(void *arg)
{
	for (size_t i = 0; i < 30; i++)
		free(malloc(i * 300 + 1));
	pthread_barrier_wait(&all_sleep);
	pthread_barrier_wait(&all_end);
	return arg;
}

/* A thread that sleeps costs the heap nothing. */
TEST_LANE(test_sleepers)
{
	static pthread_t threads[1000];
	struct lanemalloc_stats before, with;

	pthread_barrier_init(&all_sleep, NULL, ARRAY_SIZE(threads) + 1);
	pthread_barrier_init(&all_end, NULL, ARRAY_SIZE(threads) + 1);
	before = stats_now();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		create(&threads[i], touch_and_sleep, NULL);
	pthread_barrier_wait(&all_sleep);
	with = stats_now();
	assert_true(with.cached_size < before.cached_size + 16 * MIB);
	assert_true(with.live_size < before.live_size + 2 * MIB);
	assert_true(with.metadata_size < before.metadata_size + 8 * MIB);
	pthread_barrier_wait(&all_end);
	threads_join(threads, ARRAY_SIZE(threads));
}

#define NR_PATTERN_THREADS 64

static struct slot {
	char *block;
} slots[512];

/* The size is told by the block itself, so that any thread can check it. */
static char *stamped(size_t size)
{
	char *p = malloc(size + 16);

	must(p && is_aligned(p, 16));
	memcpy(p, &size, sizeof(size));
	pattern_fill(p + 16, size, size);
	return p;
}

static void stamp_check(char *p)
{
	size_t size;

	if (!p)
		return;
	memcpy(&size, p, sizeof(size));
	must(size < 100000 && pattern_holds(p + 16, size, size));
	memset(p, 0, 16);
	free(p);
}

static void *exchange(void *arg)
{
	uint64_t random = (uintptr_t)arg * 77 + 1;

	for (int i = 0; i < 3000; i++) {
		uint64_t r = random_next(&random);
		char *p = stamped((r >> 20) % (r % 50 ? 800 : 90000));

		p = __atomic_exchange_n(&slots[r % ARRAY_SIZE(slots)].block, p,
					__ATOMIC_ACQ_REL);
		stamp_check(p);
	}
	return NULL;
}

/* Every block is freed by whichever thread meets it. */
TEST(test_exchange)
{
	static pthread_t threads[NR_PATTERN_THREADS];

	run_all(threads, ARRAY_SIZE(threads), exchange);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		stamp_check(slots[i].block);
		slots[i].block = NULL;
	}
}

#define RING 1024

static char *ring[RING];
static size_t ring_head, ring_tail;

static void *consume(void *arg)
{
	for (size_t i = 0; i < 200000; i++) {
		while (__atomic_load_n(&ring_head, __ATOMIC_ACQUIRE) == i)
			sched_yield();
		stamp_check(ring[i % RING]);
		__atomic_store_n(&ring_tail, i + 1, __ATOMIC_RELEASE);
	}
	return arg;
}

/* One thread only allocates, another only frees: memory does not grow. */
TEST(test_producer_consumer)
{
	uint64_t before = have_lane() ? stats_now().committed_size : 0;
	pthread_t consumer;

	create(&consumer, consume, NULL);
	for (size_t i = 0; i < 200000; i++) {
		while (i - __atomic_load_n(&ring_tail, __ATOMIC_ACQUIRE) ==
		       RING)
			sched_yield();
		ring[i % RING] = stamped(i % 500);
		__atomic_store_n(&ring_head, i + 1, __ATOMIC_RELEASE);
	}
	pthread_join(consumer, NULL);
	if (have_lane())
		assert_true(stats_now().committed_size < before + 32 * MIB);
}

TEST_MAIN(NULL, NULL)
