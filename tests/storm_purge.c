/* storm_purge: memory given back while everything else goes on
 *
 * Two threads call lanemalloc_purge() (where the malloc is lanemalloc),
 * malloc_trim() and the statistics without a pause, against threads that
 * allocate, free, realloc and hand over, and against threads that start and
 * end. A page given back too early reads as zero: the pattern sees it. Huge
 * blocks, which go back as they are freed, are touched here and there.
 */
#include "storm.h"
#include <dlfcn.h>

#define PURGERS 2

static struct ring ring;
static atomic_uint nr_working;
static size_t (*purge)(void);
static int (*trim)(size_t);
static size_t (*stats)(void *out, size_t size);

static void *short_lived(void *arg)
{
	struct live live;

	live_init(&live, (uintptr_t)arg, 64 * KIB, 32, &ring);
	for (unsigned i = 0; i < 64; i++)
		live_step(&live);
	live_fini(&live);
	return NULL;
}

static void purge_all(void)
{
	uint64_t buf[64];

	if (purge)
		purge();
	if (trim)
		trim(0);
	if (stats)
		must(stats(buf, sizeof(buf)) > 0);
}

/* A word in each of its pieces; a zero among them is a page taken away. */
static void huge_block(uint64_t seed)
{
	size_t size = (20 + seed % 60) * MIB, step = 300 * KIB, i;
	char *block = malloc(size);

	must(block);
	for (i = 0; i + 8 <= size; i += step)
		memcpy(block + i, &(uint64_t){ seed + i + 1 }, 8);
	for (i = 0; i + 8 <= size; i += step)
		must(!memcmp(block + i, &(uint64_t){ seed + i + 1 }, 8));
	free(block);
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg, i;
	struct live live;
	pthread_t thread;

	if (index >= storm.threads) {
		while (atomic_load(&nr_working))
			purge_all();
		return NULL;
	}
	live_init(&live, index, MIB, 128, &ring);
	for (i = 0; i < storm.rounds; i++) {
		live_step(&live);
		if (i % 256)
			continue;
		storm_spawn(&thread, short_lived, 1000 + index, 64 * KIB);
		must(!pthread_join(thread, NULL));
		huge_block(index * 1000003ull + i);
	}
	live_fini(&live);
	atomic_fetch_sub(&nr_working, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 6, 40000);
	*(void **)&purge = dlsym(RTLD_DEFAULT, "lanemalloc_purge");
	*(void **)&trim = dlsym(RTLD_DEFAULT, "malloc_trim");
	*(void **)&stats = dlsym(RTLD_DEFAULT, "lanemalloc_stats");
	atomic_store(&nr_working, storm.threads);
	ring_init(&ring, 128, false);
	storm_parallel(storm.threads + PURGERS, work, 256 * KIB);
	ring_end(&ring);
	return storm_done();
}
