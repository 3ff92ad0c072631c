/* storm_many: 1,000 threads at once, on stacks of 64 KiB
 *
 * All are alive before the first allocates and until the last has freed.
 */
#include "storm.h"

static pthread_barrier_t barrier;
static struct ring ring;

static void *work(void *arg)
{
	struct live live;

	live_init(&live, (uintptr_t)arg, 16 * KIB, 16, &ring);
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < storm.rounds; i++)
		live_step(&live);
	live_fini(&live);
	pthread_barrier_wait(&barrier);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 1000, 1200);
	must(!pthread_barrier_init(&barrier, NULL, storm.threads));
	ring_init(&ring, 1024, false);
	storm_parallel(storm.threads, work, 64 * KIB);
	ring_end(&ring);
	return storm_done();
}
