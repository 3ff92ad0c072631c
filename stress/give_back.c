/* give_back: what a program keeps after it freed 200 MiB and sleeps
 *
 *	give_back [--order in|reverse|random] [--threads] [--size BYTES]
 *		  [--blocks N]
 *
 * 200 MiB in blocks of 100 bytes, freed in order of allocation, in reverse or
 * at random. Printed is the RSS before, at the peak, right after the last
 * free, and after 1, 5 and 10 s in which nothing is called. --threads: a
 * thread was started (and ended) before, as in a program that has threads.
 */
#include "figure.h"

static size_t block_size = 100, nr_blocks;
static char **blocks;

static void fill(void)
{
	size_t i;

	for (i = 0; i < nr_blocks; i++) {
		blocks[i] = malloc(block_size);
		if (!blocks[i])
			figure_die("no memory");
		memset(blocks[i], 1, block_size);
	}
}

static void arrange(char order)
{
	uint64_t random = 1;
	size_t i, k;
	char *b;

	for (i = nr_blocks; order != 'i' && i-- > 0;) {
		k = order == 'r' ? nr_blocks - 1 - i
				 : random_next(&random) % (i + 1);
		if (order == 'r' && k >= i)
			continue;
		b = blocks[i];
		blocks[i] = blocks[k];
		blocks[k] = b;
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) ||
	    pthread_join(thread, NULL))
		figure_die("no thread");
}

static void report(const char *order, int threads, double before)
{
	double rss[5];
	size_t i;

	rss[0] = figure_rss();
	for (i = 0; i < nr_blocks; i++)
		free(blocks[i]);
	rss[1] = figure_rss();
	figure_sleep(1);
	rss[2] = figure_rss();
	figure_sleep(4);
	rss[3] = figure_rss();
	figure_sleep(5);
	rss[4] = figure_rss();
	printf("give_back: %s%s: RSS MiB: before %.1f, peak %.1f, freed %.1f, "
	       "1 s %.1f, 5 s %.1f, 10 s %.1f\n",
	       order, threads ? " with threads" : "", before, rss[0], rss[1],
	       rss[2], rss[3], rss[4]);
}

int main(int argc, char **argv)
{
	const char *order = "in";
	bool threads = false;
	double before;
	const struct option_row rows[] = {
		OPTION_TEXT("order", &order, "in, reverse or random"),
		OPTION_SWITCH("threads", &threads, "there is another thread"),
		OPTION_NUMBER("size", &block_size, 1, SIZE_MAX, "bytes"),
		OPTION_NUMBER("blocks", &nr_blocks, 1, SIZE_MAX, "how many"),
	};

	options_read_rows(argc, argv, rows);
	if (strcmp(order, "in") && strcmp(order, "reverse") &&
	    strcmp(order, "random"))
		figure_die("--order in, reverse or random");
	if (!nr_blocks)
		nr_blocks = 200 * MIB / block_size;
	if (threads)
		start_thread();
	blocks = malloc(nr_blocks * sizeof(*blocks));
	if (!blocks)
		figure_die("no memory");
	memset(blocks, 1, nr_blocks * sizeof(*blocks));
	before = figure_rss();
	fill();
	arrange(!strcmp(order, "in") ? 'i' : order[1] == 'e' ? 'r' : 'x');
	report(order, threads, before);
	return 0;
}
