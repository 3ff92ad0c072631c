/* known: a program whose calls of malloc the recorder's test knows
 *
 * The sizes tell who made them: 1000s the first thread, 2000s the second,
 * 3000s a signal handler, 4000s a child of fork, which is not recorded.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_HANDLED 100

static void *volatile handled[NR_HANDLED];
static volatile sig_atomic_t nr_handled;

static void handle(int number)
{
	(void)number;
	if (nr_handled < NR_HANDLED) {
		handled[nr_handled] = malloc(3000);
		nr_handled++;
	}
}

static void *second(void *block)
{
	void *own = malloc(2001);

	free(block);
	own = realloc(own, 2002);
	free(own);
	return malloc(2003);
}

static void child(void)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 1000; i++)
			*(void *volatile *)&handled[0] = malloc(4001);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* Many events, so that chunks are full; signals within. */
static void many(void)
{
	for (int i = 0; i < 20000; i++) {
		void *volatile block = malloc(1000);

		if (i % 200 == 0)
			raise(SIGUSR1);
		free(block);
	}
}

int main(void)
{
	void *volatile blocks[4];
	pthread_t id;

	signal(SIGUSR1, handle);
	blocks[0] = malloc(1001);
	blocks[1] = calloc(10, 100);
	blocks[2] = aligned_alloc(256, 1003);
	blocks[3] = realloc(NULL, 1004);
	blocks[3] = realloc(blocks[3], 100000);
	pthread_create(&id, NULL, second, blocks[0]);
	pthread_join(id, NULL);
	child();
	many();
	free(blocks[1]);
	free(blocks[2]);
	return 0;
}
