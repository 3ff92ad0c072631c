/* base/atomic.h: a word that many raise ends at the highest of all */
#include <pthread.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "cases.h"

#define THREADS 4
#define ROUNDS 100000

static _Atomic(uint32_t) word;

TEST(test_raises_and_never_lowers)
{
	for (uint32_t from = 0; from < 20; from++)
		for (uint32_t to = 0; to < 20; to++) {
			store_relaxed(&word, from); // own
			raise_relaxed(&word, to);   // own
			assert_int_equal(load_relaxed(&word), // own
					 from > to ? from : to);
		}
}

/* Another thread comes first, and raises it less than this one wants. */
static uint32_t others;

static bool cas_after_others(_Atomic(uint32_t) *p, uint32_t *seen, uint32_t v)
{
	if (others) {
		store_relaxed(p, others); // own
		others = 0;
	}
	return cas_order(p, seen, v, memory_order_relaxed,
			 memory_order_relaxed);
}

#undef cas_relaxed
#define cas_relaxed(p, seen, v) cas_after_others((p), (seen), (v))

TEST(test_comes_second)
{
	store_relaxed(&word, 1); // own
	others = 5;
	raise_relaxed(&word, 9); // own
	assert_int_equal(load_relaxed(&word), 9); // own
	others = 12;
	raise_relaxed(&word, 11); // own
	assert_int_equal(load_relaxed(&word), 12); // own
}

static void *raiser(void *first)
{
	uint32_t i, before, now;

	for (i = (uint32_t)(uintptr_t)first; i < ROUNDS; i += THREADS) {
		before = load_relaxed(&word); // own
		raise_relaxed(&word, i);      // own
		now = load_relaxed(&word);    // own
		if (now < i || now < before)
			return first;
	}
	return NULL;
}

TEST(test_many_raise)
{
	pthread_t threads[THREADS];
	void *failed;

	store_relaxed(&word, 0); // own
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, raiser, (void *)(i + 1));
	for (uintptr_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_in_range(load_relaxed(&word), ROUNDS - 1, ROUNDS + 3); // own
}

TEST_MAIN(NULL, NULL)
