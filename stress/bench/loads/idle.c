/* idle: what threads keep that have freed everything and sleep
 *
 * Each thread allocates up to 200 KiB of mixed sizes, frees all, and again
 * until its share of the operations is done. When all threads sleep on a
 * barrier, the last one reads the process's RSS, the key rss_kib.
 */
#include "shared.h"

#include "../../harness/memory.h"

#define NR_BYTES (200u << 10)
#define SIZE_LOW 16
#define SIZE_HIGH 4096
#define NR_MOST (NR_BYTES / SIZE_LOW)

static double rss_kib(void)
{
	size_t resident = memory_now().resident;

	if (!resident)
		load_die("cannot read /proc/self/statm");
	return (double)resident / 1024;
}

/* Returns how many blocks it allocated. */
static size_t fill(struct worker *worker, struct block *blocks,
		   unsigned long most)
{
	size_t left = NR_BYTES, nr = 0;

	while (nr < most && left >= SIZE_LOW) {
		size_t size = load_skewed(worker, SIZE_LOW, SIZE_HIGH);

		if (size > left)
			size = left;
		block_get(worker->run, &blocks[nr++], size);
		left -= size;
	}
	return nr;
}

static void body(struct worker *worker)
{
	pthread_barrier_t *barrier = worker->shared;
	struct block *blocks = load_table(NR_MOST * sizeof(*blocks));

	while (worker->operations) {
		size_t nr = fill(worker, blocks, worker->operations);

		blocks_put(worker->run, blocks, nr);
		worker->operations -= nr;
	}
	load_table_free(blocks, NR_MOST * sizeof(*blocks));
	if (pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		load_result("rss_kib", rss_kib());
	pthread_barrier_wait(barrier);
}

static void idle_run(const struct run *run)
{
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, run->threads);
	load_parallel(run, body, &barrier);
	pthread_barrier_destroy(&barrier);
}

LOAD(idle) = {
	.name = "idle",
	.about = "each thread allocates 200 KiB of 16 B to 4 KiB, frees all, "
		 "and again; rss_kib: the RSS when all sleep (arenas of idle "
		 "threads: Hunter et al., Beyond Malloc, 2021)",
	.parallel = true, .operations = 10000000, .run = idle_run
};
