/* cache: does malloc put the objects of two threads into one cache line?
 *
 * cache-thrash: each thread allocates a small object, writes to it many times
 * and frees it; a malloc that serves both threads from one line makes them
 * share it. cache-scratch: so it goes on with objects that one thread has
 * allocated side by side and given to the others; a malloc whose threads keep
 * what they free hands such a neighbour out again and again.
 */
#include "load.h"

#define SIZE 8
#define NR_WRITES 16	/* to each byte; even, so that the pattern returns */

static void write_often(void *object)
{
	volatile unsigned char *bytes = object;

	for (unsigned i = 0; i < NR_WRITES; i++)
		for (unsigned at = 0; at < SIZE; at++)
			bytes[at] ^= 0x5a;
}

static void body(struct worker *worker)
{
	void **given = worker->shared;
	void *object = given ? given[worker->index] : NULL;

	if (object && worker->operations)
		worker->operations--;
	if (object)
		load_put(worker->run, object, SIZE);
	for (unsigned long i = 0; i < worker->operations; i++) {
		object = load_get(worker->run, SIZE);
		write_often(object);
		load_put(worker->run, object, SIZE);
	}
}

static void scratch_run(const struct run *run)
{
	size_t bytes = run->threads * sizeof(void *);
	void **given = load_table(bytes);

	for (unsigned i = 0; i < run->threads && i < run->operations; i++)
		given[i] = load_get(run, SIZE);
	load_parallel(run, body, given);
	load_table_free(given, bytes);
}

LOAD(cache_thrash) = {
	.name = "cache-thrash",
	.about = "each thread allocates 8 B, writes them 16 times over and "
		 "frees them: active false sharing (Berger et al., Hoard, "
		 "2000)",
	.parallel = true, .operations = 10000000, .body = body
};

LOAD(cache_scratch) = {
	.name = "cache-scratch",
	.about = "the same after every thread freed an object of one thread's: "
		 "passive false sharing (Berger et al., Hoard, 2000)",
	.parallel = true, .operations = 10000000, .run = scratch_run
};
