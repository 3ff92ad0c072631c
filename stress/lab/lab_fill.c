/* lab_fill: phases of other sizes each, up to a limit that others set
 *
 * A phase fills memory with blocks of one size until malloc says NULL or
 * until LAB_FILL_MIB are held (default: no bound), and frees all. Each phase
 * reaches three quarters of what the first one did, or as much as it may
 * hold: what one size left free serves the next one. Under a limit of a cgroup
 * that is above the bound, the process lives to its end.
 */
#include "storm.h"

#define MOST ((size_t)1 << 20)

static const size_t sizes[] = { 4096, 700, 3 * MIB, 20000, 64, 300000 };

struct hoard {
	struct block *blocks;
	size_t nr, size;
};

static size_t bound_of_environment(void)
{
	const char *text = getenv("LAB_FILL_MIB");

	return text ? strtoull(text, NULL, 10) * MIB : SIZE_MAX;
}

static void fill(struct hoard *hoard, size_t size, size_t bound)
{
	hoard->nr = 0;
	hoard->size = 0;
	while (hoard->nr < MOST && hoard->size + size <= bound) {
		errno = 0;
		if (!block_malloc(&hoard->blocks[hoard->nr], size, size)) {
			must(errno == ENOMEM);
			return;
		}
		hoard->nr++;
		hoard->size += size;
	}
}

static void empty(struct hoard *hoard)
{
	while (hoard->nr)
		block_free(&hoard->blocks[--hoard->nr]);
}

int main(int argc, char **argv)
{
	size_t bound = bound_of_environment(), first = 0, i, wanted;
	struct hoard hoard;

	storm_start(argc, argv, 1, sizeof(sizes) / sizeof(sizes[0]));
	shadow_reserve(RESERVE_MOST);
	hoard.blocks = storm_map(MOST * sizeof(*hoard.blocks));
	must(hoard.blocks);
	for (i = 0; i < storm.rounds; i++) {
		size_t size = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];

		fill(&hoard, size, bound);
		if (i == 0)
			first = hoard.size;
		wanted = first / 4 * 3;
		if (hoard.size < wanted && hoard.nr < MOST)
			storm_fail("blocks of %zu: %zu MiB reached, %zu at "
				   "first", size, hoard.size / MIB,
				   first / MIB);
		empty(&hoard);
	}
	printf("lab_fill: %zu MiB reached at first\n", first / MIB);
	return storm_done();
}
