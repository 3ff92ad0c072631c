/* storm_limit: several threads reach RLIMIT_AS at once, and recover
 *
 * The program starts itself again under the limit, so that the malloc's own
 * start-up is under it too. All threads allocate until nothing is to be had:
 * NULL and ENOMEM. What they hold is whole; when all is freed, a good part of
 * it can be had again, and later rounds reach about what the first reached.
 */
#include "storm.h"
#include <sys/resource.h>

#define LIMIT (320 * MIB)
#define MOST ((size_t)1 << 16)
#define SPARE_LEAVES 8

static pthread_barrier_t barrier;
static atomic_size_t reached; /* bytes, by all threads in this round */
static size_t reached_first;

struct hoard {
	struct rng rng;
	uint64_t owner;
	size_t nr;
	size_t size; /* bytes in all */
	struct block *blocks;
};

static bool hoard_one(struct hoard *hoard, size_t size)
{
	struct block *b = &hoard->blocks[hoard->nr];
	bool done;

	must(hoard->nr < MOST);
	errno = 0;
	switch (rng_below(&hoard->rng, 4)) {
	case 0:
		done = block_calloc(b, size, hoard->owner);
		break;
	case 1:
		errno = ENOMEM; /* posix_memalign() leaves errno alone */
		done = block_aligned(b, 4096, size, hoard->owner);
		break;
	default:
		done = block_malloc(b, size, hoard->owner);
	}
	if (!done) {
		must(errno == ENOMEM);
		return false;
	}
	hoard->nr++;
	hoard->size += size;
	return true;
}

/* Until neither large nor small blocks are to be had. */
static void take_all(struct hoard *hoard)
{
	size_t most = 2 * MIB;

	while (most >= 4 * KIB)
		if (!hoard_one(hoard, rng_size(&hoard->rng, most)))
			most /= 2;
	atomic_fetch_add(&reached, hoard->size);
}

/* Growth fails now and then, and the block is as it was. */
static void grow_some(struct hoard *hoard)
{
	struct block *b;

	for (unsigned i = 0; i < 16; i++) {
		b = &hoard->blocks[rng_below(&hoard->rng, hoard->nr)];
		errno = 0;
		if (!block_realloc(b, b->size + 3 * MIB))
			must(errno == ENOMEM);
		block_check(b);
	}
}

static void free_all(struct hoard *hoard)
{
	for (size_t i = 0; i < hoard->nr; i += 2)
		block_free(&hoard->blocks[i]);
	for (size_t i = 1; i < hoard->nr; i += 2)
		block_free(&hoard->blocks[i]);
	hoard->nr = 0;
	hoard->size = 0;
}

/* A quarter of this thread's share of the first round, in middling blocks. */
static void recover(struct hoard *hoard)
{
	size_t goal = reached_first / storm.threads / 4;

	while (hoard->size < goal)
		if (!hoard_one(hoard,
			       16 * KIB + rng_below(&hoard->rng, 64 * KIB)))
			storm_fail("no recovery: %zu of %zu KiB",
				   hoard->size / KIB, goal / KIB);
}

static void compare_rounds(unsigned round)
{
	size_t now = atomic_exchange(&reached, 0);

	if (!round)
		reached_first = now;
	if (now < LIMIT / 4 || now < reached_first / 2)
		storm_fail("round %u reached %zu MiB, the first %zu MiB", round,
			   now / MIB, reached_first / MIB);
}

static void *work(void *arg)
{
	struct hoard hoard = { .owner = (uintptr_t)arg };

	hoard.rng = rng_make(hoard.owner);
	hoard.blocks = storm_map(MOST * sizeof(*hoard.blocks));
	must(hoard.blocks);
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < storm.rounds; i++) {
		take_all(&hoard);
		pthread_barrier_wait(&barrier);
		if (!hoard.owner)
			compare_rounds(i);
		if (hoard.nr)
			grow_some(&hoard);
		free_all(&hoard);
		pthread_barrier_wait(&barrier);
		recover(&hoard);
		pthread_barrier_wait(&barrier);
		free_all(&hoard);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void start_limited(char **argv)
{
	struct rlimit limit = { LIMIT, LIMIT };

	must(!setenv("STORM_LIMITED", "1", 1));
	must(!setrlimit(RLIMIT_AS, &limit));
	execv("/proc/self/exe", argv);
	storm_fail("exec: errno %d", errno);
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 4);
	if (!getenv("STORM_LIMITED"))
		start_limited(argv);
	shadow_reserve(SPARE_LEAVES);
	must(!pthread_barrier_init(&barrier, NULL, storm.threads));
	storm_parallel(storm.threads, work, 256 * KIB);
	return storm_done();
}
