/* many_threads: what thousands of sleeping threads keep
 *
 *	many_threads [--threads N] [--blocks N]
 *
 * 4,000 threads with stacks of 64 KiB churn 2,000 blocks of 16..8191 bytes
 * each, with 32 live, free all and sleep. Printed is the RSS of the process
 * when all sleep, after 5 s more, and what of it the stacks of the same
 * number of threads cost that allocated nothing.
 */
#include "figure.h"

#define NR_LIVE 32

static unsigned long nr_threads = 4000, nr_blocks = 2000;
static pthread_barrier_t asleep, end;

static void churn(uint64_t random)
{
	void *live[NR_LIVE] = { 0 };
	unsigned long i, slot;
	size_t size;

	for (i = 0; i < nr_blocks; i++) {
		slot = random_next(&random) % NR_LIVE;
		size = 16 + random_next(&random) % 8176;
		free(live[slot]);
		live[slot] = malloc(size);
		if (!live[slot])
			figure_die("no memory");
		memset(live[slot], 1, size);
	}
	for (i = 0; i < NR_LIVE; i++)
		free(live[i]);
}

/* index 0: a thread that allocates nothing */
static void *work(void *index)
{
	if (index)
		churn((uintptr_t)index);
	pthread_barrier_wait(&asleep);
	pthread_barrier_wait(&end);
	return NULL;
}

static void start(pthread_t *threads, int busy)
{
	pthread_attr_t attr;
	unsigned long i;

	pthread_barrier_init(&asleep, NULL, (unsigned)nr_threads + 1);
	pthread_barrier_init(&end, NULL, (unsigned)nr_threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	for (i = 0; i < nr_threads; i++)
		if (pthread_create(&threads[i], &attr, work,
				   busy ? (void *)(i + 1) : NULL))
			figure_die("cannot start so many threads");
	pthread_barrier_wait(&asleep);
}

static void stop(pthread_t *threads)
{
	unsigned long i;

	pthread_barrier_wait(&end);
	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	static const struct option_row rows[] = {
		OPTION_NUMBER("threads", &nr_threads, 1, INT32_MAX, "how many"),
		OPTION_NUMBER("blocks", &nr_blocks, 1, INT32_MAX, "of each"),
	};
	double idle, at_once, later;
	pthread_t *threads;

	options_read_rows(argc, argv, rows);
	threads = calloc(nr_threads, sizeof(*threads));
	if (!threads)
		figure_die("no memory");
	start(threads, 0);
	idle = figure_rss();
	stop(threads);
	start(threads, 1);
	at_once = figure_rss();
	figure_sleep(5);
	later = figure_rss();
	printf("many_threads: %lu threads asleep: RSS %.1f MiB, after 5 s "
	       "%.1f MiB; threads that never allocated: %.1f MiB\n",
	       nr_threads, at_once, later, idle);
	stop(threads);
	free(threads);
	return 0;
}
