/* pair: nanoseconds of one malloc and one free of the same size, which hit
 *
 *	pair [--rounds N] [--pairs N]
 *
 * Two stores whose addresses agree in the low 12 bits disturb each other, so
 * one layout proves nothing: each size is timed with the stack moved in steps
 * of 512 bytes and with different numbers of blocks held below. A layout's
 * figure is the median of its rounds; printed are the best, the median and
 * the worst layout.
 */
#include "figure.h"

#define NR_STACKS 8
#define NR_HELD 4
#define NR_LAYOUTS (NR_STACKS * NR_HELD)

static unsigned long nr_pairs = 200000, nr_rounds = 7;
static void *volatile sink;

static __attribute__((noinline)) double time_pairs(size_t size)
{
	double start = clock_seconds();
	unsigned long i;
	void *block;

	for (i = 0; i < nr_pairs; i++) {
		block = malloc(size);
		/* The program may look at it: no pair is left out. */
		__asm__ volatile("" : "+r"(block) : : "memory");
		free(block);
	}
	return (clock_seconds() - start) * 1e9 / (double)nr_pairs;
}

static __attribute__((noinline)) double layout(size_t size, unsigned stack,
					       unsigned nr_held)
{
	double rounds[nr_rounds];
	char *moved = __builtin_alloca(stack * 512 + 16);
	void *held[NR_HELD * 5];
	unsigned i;

	sink = moved;
	for (i = 0; i < nr_held * 5; i++)
		held[i] = malloc(size);
	time_pairs(size);
	for (i = 0; i < nr_rounds; i++)
		rounds[i] = time_pairs(size);
	for (i = 0; i < nr_held * 5; i++)
		free(held[i]);
	return figure_median(rounds, (unsigned)nr_rounds);
}

static void time_size(size_t size)
{
	double layouts[NR_LAYOUTS], median;
	unsigned i;

	for (i = 0; i < NR_LAYOUTS; i++)
		layouts[i] = layout(size, i / NR_HELD, i % NR_HELD);
	median = figure_median(layouts, NR_LAYOUTS);
	printf(" %zu B %.2f (%.2f..%.2f)", size, median, layouts[0],
	       layouts[NR_LAYOUTS - 1]);
}

int main(int argc, char **argv)
{
	static const struct option_row rows[] = {
		OPTION_NUMBER("rounds", &nr_rounds, 1, 1000000, "timed"),
		OPTION_NUMBER("pairs", &nr_pairs, 1, SIZE_MAX, "of a round"),
	};
	static const size_t sizes[] = { 16, 64, 256, 1024, 8192 };
	unsigned i;

	options_read_rows(argc, argv, rows);
	printf("pair: ns:");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		time_size(sizes[i]);
	printf("\n");
	return 0;
}
