/* storm_large: large blocks of many threads, and blocks that grow
 *
 * Growth doubles a block from 40 KiB to 10 MiB and shrinks it again; the
 * pattern sees pages that were moved wrongly, lost or left behind. Freed
 * ranges of several threads lie side by side, so they coalesce under fire.
 */
#include "storm.h"

static struct ring ring;

static void grow_and_shrink(struct rng *rng, uint64_t owner)
{
	struct block b = { .owner = owner };
	size_t size = 40 * KIB + rng_below(rng, 8 * KIB);

	while (size < 10 * MIB) {
		must(block_realloc(&b, size));
		size = size * 2 + rng_below(rng, 4096);
	}
	while (b.size > 64 * KIB)
		must(block_realloc(&b, b.size / 3));
	block_free(&b);
}

static void fill_and_free(struct rng *rng, uint64_t owner)
{
	struct block blocks[24], other;

	for (unsigned i = 0; i < 24; i++)
		must(block_malloc(&blocks[i],
				  32 * KIB + rng_below(rng, 512 * KIB), owner));
	for (unsigned i = 0; i < 24; i += 2)
		block_free(&blocks[i]);
	for (unsigned i = 0; i < 24; i += 4)
		must(block_aligned(&blocks[i],
				   (size_t)4096 << rng_below(rng, 10),
				   100 * KIB + rng_below(rng, MIB), owner));
	for (unsigned i = 0; i < 24; i += 4) {
		must(block_calloc(&other, 64 * KIB + rng_below(rng, 256 * KIB),
				  owner));
		if (!ring_try_put(&ring, &other))
			block_free(&other);
		if (ring_try_get(&ring, &other))
			block_free(&other);
	}
	for (unsigned i = 0; i < 24; i++)
		if (i % 4 != 2)
			block_free(&blocks[i]);
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg, i;
	struct rng rng = rng_make(index);

	for (i = 0; i < storm.rounds; i++) {
		grow_and_shrink(&rng, index);
		fill_and_free(&rng, index);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 6, 20);
	ring_init(&ring, 16, false);
	storm_parallel(storm.threads, work, 256 * KIB);
	ring_end(&ring);
	return storm_done();
}
