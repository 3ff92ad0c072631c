/* front/quarantine.h: what threads put in comes out once, and the order of its
 * places holds whatever they do at once */
#include "heap_fixture.h"

#include "front/quarantine.c"

#define NR_THREADS 4
#define NR_PUTS 500000
#define SIZE 1024

static int setup(void **state)
{
	int result = heap_setup(state);

	config.quarantine = 16 * SIZE;
	return result;
}

static _Atomic(unsigned) nr_passed;

/* The tail first: none that is right then is wrong by the head's steps. */
static void look(void)
{
	uint64_t tail = load_relaxed(&quarantine_shards[0].tail); // own

	if (tail > load_relaxed(&quarantine_shards[0].head)) // own
		nr_passed++;
}

static void *churn(void *arg)
{
	void *out[QUARANTINE_OUT], *mine = heap_alloc(SIZE);
	struct block block;
	unsigned i;
	int n;

	for (i = 0; i < NR_PUTS; i++) {
		page_map_find(mine, &block);
		n = quarantine_put(0, &block, mine, out);
		assert_true(n >= 0);
		look();
		while (n > 1)
			heap_free(out[--n]);
		mine = n ? out[0] : heap_alloc(SIZE);
		assert_non_null(mine);
	}
	heap_free(mine);
	return arg;
}

/* None that comes out passes those that go in: a block put at a place that was
 * passed would wait for a whole turn. A thread died and left the count too
 * high, so that all is taken that there is. */
TEST(the_tail_never_passes_the_head, NULL, NULL)
{
	pthread_t threads[NR_THREADS];
	void *block;
	size_t i;

	add_relaxed(&quarantine_shards[0].size, 1 << 20); // own
	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(nr_passed, 0);
	for (i = 0; quarantine_take(i, &block); i++)
		heap_free(block);
	assert_int_equal(quarantine_size(), 0);
	// own
	assert_int_equal(load_relaxed(&quarantine_shards[0].size), 1 << 20);
	sub_relaxed(&quarantine_shards[0].size, 1 << 20); // own
}

TEST_MAIN(setup, NULL)
