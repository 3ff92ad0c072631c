/* storm_hard_limit: threads at their hard limit, which nobody passes
 *
 * All threads allocate until ENOMEM, free some, and go on; one of them forks
 * now and then, and the child does the same. A thread that only looks compares
 * what counts with the limit all the time. At the end all is freed and most of
 * the limit can be had again. Under another malloc there is no limit, and the
 * storm looks at nothing.
 */
#include "storm.h"

#include <dlfcn.h>

#include "lanemalloc.h"

#define LIMIT (48 * MIB)
#define MOST 4096
#define NR_HELD (24 * MIB) /* bytes that one holds where there is no limit */

static __typeof__(lanemalloc_limit) *limit_call;
static __typeof__(lanemalloc_stats) *stats_call;
static atomic_uint nr_at_work;
static atomic_size_t nr_refused, nr_looks;

struct hoard {
	struct rng rng;
	uint64_t owner;
	size_t nr, size;
	struct block *blocks;
};

static size_t limited(void)
{
	struct lanemalloc_stats stats;

	stats_call(&stats, sizeof(stats));
	return stats.limited_size;
}

static void check_limit(void)
{
	size_t now;

	if (!stats_call)
		return;
	now = limited();
	if (now > LIMIT)
		storm_fail("%zu bytes, the limit is %zu", now, LIMIT);
	atomic_fetch_add(&nr_looks, 1);
}

static bool take(struct hoard *hoard)
{
	struct block *b = &hoard->blocks[hoard->nr];
	size_t size = rng_size(&hoard->rng, 2 * MIB);
	bool done;

	if (hoard->nr == MOST || hoard->size > NR_HELD)
		return false;
	errno = 0;
	done = rng_below(&hoard->rng, 4) ?
		       block_malloc(b, size, hoard->owner) :
		       block_calloc(b, size, hoard->owner);
	if (!done) {
		must(errno == ENOMEM);
		atomic_fetch_add(&nr_refused, 1);
		return false;
	}
	hoard->nr++;
	hoard->size += size;
	return true;
}

static void give(struct hoard *hoard, size_t i)
{
	hoard->size -= hoard->blocks[i].size;
	block_free(&hoard->blocks[i]);
	hoard->blocks[i] = hoard->blocks[--hoard->nr];
}

static void grow_one(struct hoard *hoard)
{
	struct block *b;
	size_t before;

	if (!hoard->nr)
		return;
	b = &hoard->blocks[rng_below(&hoard->rng, hoard->nr)];
	before = b->size;
	errno = 0;
	if (!block_realloc(b, b->size + rng_size(&hoard->rng, MIB)))
		must(errno == ENOMEM);
	hoard->size += b->size - before;
}

static void fill_and_give(struct hoard *hoard, unsigned rounds)
{
	size_t keep;

	while (rounds--) {
		while (take(hoard))
			;
		grow_one(hoard);
		keep = rng_below(&hoard->rng, hoard->nr + 1);
		while (hoard->nr > keep)
			give(hoard, rng_below(&hoard->rng, hoard->nr));
	}
}

/* The child has what it counts as its parent had it. */
static void fork_once(struct hoard *hoard)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (!pid) {
		check_limit();
		fill_and_give(hoard, 4);
		check_limit();
		_exit(CHILD_DONE);
	}
	storm_reap(pid);
}

static void *look_on(void *arg)
{
	(void)arg;
	while (atomic_load(&nr_at_work))
		check_limit();
	return NULL;
}

static void *work(void *arg)
{
	struct hoard hoard = { .owner = (uintptr_t)arg };

	hoard.rng = rng_make(hoard.owner);
	hoard.blocks = storm_map(MOST * sizeof(*hoard.blocks));
	must(hoard.blocks);
	for (unsigned i = 0; i < storm.rounds; i++) {
		fill_and_give(&hoard, 4);
		if (!hoard.owner && i % 16 == 0)
			fork_once(&hoard);
	}
	while (hoard.nr)
		give(&hoard, hoard.nr - 1);
	atomic_fetch_sub(&nr_at_work, 1);
	return NULL;
}

static void check_recovery(void)
{
	struct block b;

	if (!limit_call)
		return;
	must(atomic_load(&nr_refused) > 0 && atomic_load(&nr_looks) > 0);
	if (!block_malloc(&b, LIMIT / 2, 1))
		storm_fail("no recovery");
	block_free(&b);
}

int main(int argc, char **argv)
{
	struct lanemalloc_limits limits = { 0, LIMIT };
	pthread_t looker;

	storm_start(argc, argv, 8, 30);
	limit_call = (__typeof__(limit_call))dlsym(RTLD_DEFAULT,
						   "lanemalloc_limit");
	stats_call = (__typeof__(stats_call))dlsym(RTLD_DEFAULT,
						   "lanemalloc_stats");
	if (limit_call)
		limit_call(&limits, NULL, sizeof(limits));
	atomic_store(&nr_at_work, storm.threads);
	storm_spawn(&looker, look_on, 0, 256 * KIB);
	storm_parallel(storm.threads, work, 256 * KIB);
	must(!pthread_join(looker, NULL));
	check_recovery();
	return storm_done();
}
