/* storm_churn: threads by the thousand, whose blocks outlive them
 *
 * A thread lives for a few dozen allocations. It frees blocks that ended
 * threads left, leaves blocks of its own, and allocates and frees once more
 * in a thread-specific destructor, after its function has returned.
 */
#include "storm.h"

#define BLOCKS 32

static struct ring left;
static pthread_key_t key;

static void destructor(void *value)
{
	struct block *last = value;
	struct block b;

	must(block_malloc(&b, 100, last->owner));
	block_free(last);
	block_free(&b);
}

static void leave(struct block *b)
{
	if (!ring_try_put(&left, b))
		block_free(b);
}

static void live_once(uint64_t owner)
{
	struct rng rng = rng_make(owner);
	struct block mine[BLOCKS], others;

	for (unsigned i = 0; i < BLOCKS; i++)
		must(block_malloc(&mine[i], rng_size(&rng, 8 * KIB), owner));
	for (unsigned i = 0; i < BLOCKS / 2; i++)
		if (ring_try_get(&left, &others))
			block_free(&others);
	for (unsigned i = 0; i < BLOCKS / 4; i++)
		block_free(&mine[rng_below(&rng, BLOCKS)]);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (mine[i].at)
			leave(&mine[i]);
}

static void *thread_of_churn(void *arg)
{
	static _Thread_local struct block last;

	live_once((uintptr_t)arg);
	must(block_malloc(&last, 200, (uintptr_t)arg));
	must(!pthread_setspecific(key, &last));
	if ((uintptr_t)arg % 2)
		pthread_exit(NULL);
	return NULL;
}

/* Keeps a window of short-lived threads, oldest joined first. */
static void *creator(void *arg)
{
	uintptr_t first = (uintptr_t)arg * storm.rounds, i;
	pthread_t threads[16];

	for (i = 0; i < storm.rounds; i++) {
		if (i >= 16)
			must(!pthread_join(threads[i % 16], NULL));
		storm_spawn(&threads[i % 16], thread_of_churn, first + i,
			    64 * KIB);
	}
	for (i = 0; i < 16 && i < storm.rounds; i++)
		must(!pthread_join(threads[i], NULL));
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 1500);
	must(!pthread_key_create(&key, destructor));
	ring_init(&left, 4096, false);
	storm_parallel(storm.threads, creator, 256 * KIB);
	ring_end(&left);
	return storm_done();
}
