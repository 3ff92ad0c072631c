/* lab_load: two threads a CPU, and what the library says of itself after it
 *
 * A thread's work is bursts of small blocks that go and come again, which is
 * what the CPU caches serve, with a step of a random live set between them. A
 * thread is interrupted in the middle of a section the more often the more
 * threads a CPU has: `aborts` counts those. Prints one line of key=value.
 */
#include "storm.h"

#include <dlfcn.h>

#include "lanemalloc.h"

#define BURST 64

/* What libc says that it registered; NULL: it knows no rseq. */
extern const unsigned int __rseq_size __attribute__((weak));

static struct ring ring;

static void burst(struct rng *rng, uint64_t owner)
{
	size_t size = 8 + rng_below(rng, 1000);
	struct block blocks[BURST];
	unsigned i;

	for (i = 0; i < BURST; i++)
		must(block_malloc(&blocks[i], size, owner));
	for (i = 0; i < BURST; i++)
		block_free(&blocks[i]);
}

static void *work(void *arg)
{
	uint64_t owner = (uintptr_t)arg;
	struct rng rng = rng_make(owner);
	struct live live;
	unsigned i;

	live_init(&live, owner, 64 * KIB, 64, &ring);
	for (i = 0; i < storm.rounds; i++) {
		burst(&rng, owner);
		live_step(&live);
	}
	live_fini(&live);
	return NULL;
}

/* Without the library: libc's malloc, of which nothing is known. */
static void report(void)
{
	__typeof__(&lanemalloc_mode) mode = (__typeof__(mode))dlsym(
		RTLD_DEFAULT, "lanemalloc_mode");
	__typeof__(&lanemalloc_stats) stats = (__typeof__(stats))dlsym(
		RTLD_DEFAULT, "lanemalloc_stats");
	struct lanemalloc_stats s = { 0 };
	const char *why = "";

	if (stats)
		stats(&s, sizeof(s));
	printf("lab_load: mode=%s ops=%llu aborts=%llu direct=%llu caches=%llu"
	       " rseq=%u why=%s\n",
	       mode ? mode(&why) : "libc",
	       (unsigned long long)storm.threads * storm.rounds * BURST,
	       (unsigned long long)s.nr_aborts, (unsigned long long)s.nr_direct,
	       (unsigned long long)s.nr_cpu_caches,
	       &__rseq_size ? __rseq_size : 0, why);
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 2 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		    2000);
	ring_init(&ring, 256, false);
	storm_parallel(storm.threads, work, 256 * KIB);
	ring_drain(&ring);
	ring_fini(&ring);
	report();
	return storm_done();
}
