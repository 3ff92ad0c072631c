/* What watchers, filters and odd places are tried with: eight threads hold and
 * replace blocks whose bytes say whose they are, one is freed by another
 * thread, a child of a fork does it once more. Prints "right" and the mode in
 * which the library runs; "none": it is not there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_THREADS 8
#define NR_BLOCKS 64
#define NR_STEPS 3000

struct block {
	unsigned char *at;
	size_t size;
};

static void *passed;

static void empty(struct block *b, unsigned char mark)
{
	for (size_t i = 0; i < b->size; i++)
		if (b->at[i] != mark)
			abort();
	free(b->at);
	b->size = 0;
}

static void fill(struct block *b, unsigned char mark, size_t size)
{
	b->at = calloc(1, size);
	if (!b->at || b->at[0] || b->at[size - 1])
		abort();
	b->at = realloc(b->at, size + 100);
	b->size = size + 100;
	memset(b->at, mark, b->size);
}

static void *work(void *arg)
{
	struct block blocks[NR_BLOCKS] = { { 0 } };
	unsigned char mark = (unsigned char)(long)arg;
	unsigned seed = mark, i, k;

	for (i = 0; i < NR_STEPS; i++) {
		seed = seed * 1103515245 + 12345;
		k = seed >> 16 & (NR_BLOCKS - 1);
		empty(&blocks[k], mark);
		fill(&blocks[k], mark,
		     i % 500 ? 1 + (seed >> 8 & 4095) : 300000);
		free(__atomic_exchange_n(&passed, malloc(100),
					 __ATOMIC_SEQ_CST));
	}
	for (k = 0; k < NR_BLOCKS; k++)
		empty(&blocks[k], mark);
	return NULL;
}

static void work_all(void)
{
	pthread_t threads[NR_THREADS];

	for (long i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			abort();
	for (long i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static const char *mode(void)
{
	const char *(*ask)(const char **) =
		(const char *(*)(const char **))dlsym(RTLD_DEFAULT,
						      "lanemalloc_mode");

	return ask ? ask(NULL) : "none";
}

/* work		all threads, and the child
 * work one	one thread, and no child
 * work until FILE	all threads again and again, a line each time
 */
int main(int argc, char **argv)
{
	unsigned long n = 0;
	int status = 1;
	pid_t child;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (argc > 2 && access(argv[2], F_OK)) {
		work_all();
		printf("round %lu\n", ++n);
	}
	if (argc == 2)
		work((void *)1);
	if (argc < 2) {
		work_all();
		child = fork();
		if (!child) {
			work_all();
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			abort();
	}
	printf("right %s\n", mode());
	return 0;
}
