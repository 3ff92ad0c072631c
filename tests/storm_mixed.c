/* storm_mixed: random live sets of every size, handed between threads
 *
 * malloc, calloc (zero check), posix_memalign, realloc and free of 1 byte to
 * 1 MiB; half of the blocks that move go through a lock-free queue and half
 * through a mutex.
 */
#include "storm.h"

static struct ring rings[2];

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg, i;
	struct live live;

	live_init(&live, index, MIB, 256, &rings[index % 2]);
	for (i = 0; i < storm.rounds; i++) {
		live_step(&live);
		live.ring = &rings[i % 2];
	}
	live_fini(&live);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 8, 100000);
	ring_init(&rings[0], 64, false);
	ring_init(&rings[1], 64, true);
	storm_parallel(storm.threads, work, 256 * KIB);
	ring_end(&rings[0]);
	ring_end(&rings[1]);
	return storm_done();
}
