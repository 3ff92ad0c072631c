/* What the profile costs while it is on, in one process that turns it on and
 * off.
 *
 * Usage: LD_PRELOAD=... profile-cost [--rounds N] [--depth N] [--load NAME]
 *
 * Each load runs in short pieces, by turns with the profile off and on, from a
 * stack of `depth` calls. Printed are nanoseconds of an operation off and on,
 * of the lower quarter of the pieces, so that what else the machine does hardly
 * counts, and the ratio of both; the option profile_interval is the library's.
 */
#include "../figure.h"

#include "lanemalloc.h"

#define NR_ALIVE 512
#define PIECE 40000 /* operations */

extern int lanemalloc_profile_start(void) __attribute__((weak));
extern void lanemalloc_profile_stop(void) __attribute__((weak));

static unsigned long nr_rounds = 200, depth = 8;
static const char *only;
static void *alive[NR_ALIVE];
static uint64_t random_state = 1;

static size_t below(size_t n)
{
	return random_below(&random_state, n);
}

/* As compilers may not leave it out. */
static void *block_get(size_t size)
{
	char *block = malloc(size);

	if (!block)
		figure_die("no memory");
	*(volatile char *)block = 1;
	return block;
}

static void replace(size_t at, size_t size)
{
	free(alive[at]);
	alive[at] = block_get(size);
}

static void run_pair(size_t size)
{
	void *block;

	for (int i = 0; i < PIECE; i++) {
		block = malloc(size);
		__asm__ volatile("" : "+r"(block) : : "memory");
		free(block);
	}
}

/* Random blocks of 10 bytes up to a size are replaced. */
static void run_larson(size_t most)
{
	for (int i = 0; i < PIECE; i++)
		replace(below(NR_ALIVE), 10 + below(most - 9));
}

/* Small ones mostly, up to 32 KiB, the newest alive. */
static void run_mixed(size_t nr_newest)
{
	for (size_t i = 0; i < PIECE; i++) {
		size_t shift = below(below(11) + 1);

		replace(i % nr_newest, (size_t)16 << shift);
	}
}

/* Copies of a text, of 8 bytes up to a size. */
static void run_strings(size_t most)
{
	static const char text[] = "the quick brown fox jumps over the lazy "
				   "dog, and so on until the end of it";

	for (int i = 0; i < PIECE; i++) {
		size_t at = below(NR_ALIVE), n = 8 + below(most - 7);

		replace(at, n);
		memcpy(alive[at], text, n);
	}
}

static const struct load {
	const char *name;
	void (*run)(size_t size);
	size_t size;
} loads[] = {
	{ "pair-64", run_pair, 64 },   { "pair-256", run_pair, 256 },
	{ "larson", run_larson, 500 }, { "mixed", run_mixed, 256 },
	{ "strings", run_strings, 64 },
};

static __attribute__((noinline)) void run_below(const struct load *load,
						unsigned long calls)
{
	if (calls)
		run_below(load, calls - 1);
	else
		load->run(load->size);
	__asm__ volatile("" ::: "memory");
}

static double piece(const struct load *load)
{
	double start = clock_seconds();

	run_below(load, depth);
	return (clock_seconds() - start) * 1e9 / PIECE;
}

static double quarter(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), figure_compare);
	return values[n / 4];
}

static void compare(const struct load *load)
{
	unsigned long n = nr_rounds;
	double off[n], on[n], a, b;

	for (unsigned long i = 0; i < n; i++) {
		off[i] = piece(load);
		if (lanemalloc_profile_start())
			figure_die("no memory for the profile");
		on[i] = piece(load);
		lanemalloc_profile_stop();
	}
	a = quarter(off, (unsigned)n);
	b = quarter(on, (unsigned)n);
	printf(" %s %.2f %.2f (%.3f)", load->name, a, b, b / a);
}

int main(int argc, char **argv)
{
	static const struct option_row rows[] = {
		OPTION_NUMBER("rounds", &nr_rounds, 4, 100000, "of each load"),
		OPTION_NUMBER("depth", &depth, 0, 60, "calls of the stack"),
		OPTION_TEXT("load", &only, "that one alone"),
	};

	options_read_rows(argc, argv, rows);
	if (!lanemalloc_profile_start || !lanemalloc_profile_stop)
		figure_die("the library is not preloaded");
	printf("ns off, on (ratio):");
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		if (!only || !strcmp(only, loads[i].name))
			compare(&loads[i]);
	printf("\n");
	return 0;
}
