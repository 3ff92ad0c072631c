/* storm_remote: allocated in one thread, freed in another
 *
 * One to one, many to one, one to many and many to many, through a lock-free
 * queue and through a mutex. The blocks on their way are few and everything
 * is freed when a round ends, so resident memory must not grow with the
 * rounds; a malloc that lets freed blocks pile up where they were freed, or
 * loses some, fails here.
 */
#include "storm.h"

#define BLOCKS 12000     /* in a round, by all producers together */
#define WARM_UP 4        /* rounds before memory is measured */
#define SLACK (12 * MIB) /* half of what a round allocates */
#define SIZE_MOST (8 * KIB)

static struct pattern {
	unsigned nr_producers, nr_consumers;
} pattern;

static struct ring ring;
static pthread_barrier_t barrier;
static atomic_uint nr_taken;

static void produce(unsigned index, struct rng *rng)
{
	unsigned i, n = BLOCKS / pattern.nr_producers;
	struct block b;

	for (i = 0; i < n; i++) {
		must(block_malloc(&b, rng_size(rng, SIZE_MOST), index));
		while (!ring_try_put(&ring, &b))
			sched_yield();
	}
}

static void consume(void)
{
	unsigned all = BLOCKS / pattern.nr_producers * pattern.nr_producers;
	struct block b;

	while (atomic_load(&nr_taken) < all) {
		if (!ring_try_get(&ring, &b)) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(&nr_taken, 1);
		block_free(&b);
	}
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg, i;
	struct rng rng = rng_make(index);

	for (i = 0; i < storm.rounds + WARM_UP; i++) {
		pthread_barrier_wait(&barrier);
		if (index < pattern.nr_producers)
			produce(index, &rng);
		else
			consume();
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Plays the barrier's part of main: looks at memory between the rounds. */
static void watch_rounds(void)
{
	size_t warm = 0, most = 0, now;

	for (unsigned i = 0; i < storm.rounds + WARM_UP; i++) {
		atomic_store(&nr_taken, 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		now = memory_now().resident;
		if (i < WARM_UP)
			warm = now > warm ? now : warm;
		else
			most = now > most ? now : most;
	}
	if (most > warm + SLACK)
		storm_fail("%u to %u: resident memory grew from %zu KiB to "
			   "%zu KiB in %u rounds",
			   pattern.nr_producers, pattern.nr_consumers,
			   warm / KIB, most / KIB, storm.rounds);
}

static void run(unsigned nr_producers, unsigned nr_consumers, bool locked)
{
	unsigned n = nr_producers + nr_consumers, i;
	pthread_t threads[n];

	pattern = (struct pattern){ nr_producers, nr_consumers };
	ring_init(&ring, 1024, locked);
	must(!pthread_barrier_init(&barrier, NULL, n + 1));
	for (i = 0; i < n; i++)
		storm_spawn(&threads[i], work, i, 256 * KIB);
	watch_rounds();
	for (i = 0; i < n; i++)
		must(!pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&barrier);
	ring_fini(&ring);
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 8);
	for (unsigned i = 0; i < 2; i++) {
		run(1, 1, i);
		run(storm.threads, 1, i);
		run(1, storm.threads, i);
		run(storm.threads, storm.threads, i);
	}
	return storm_done();
}
