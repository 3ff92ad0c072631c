/* threads: so many that run a function, and the wait for their end */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>
#include <stdlib.h>

/* Each with its number, from 0 on. */
static inline void threads_start(pthread_t *threads, size_t n,
				 void *(*run)(void *))
{
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			abort();
}

static inline void threads_join(const pthread_t *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pthread_join(threads[i], NULL))
			abort();
}

static inline void threads_run(size_t n, void *(*run)(void *))
{
	pthread_t threads[n];

	threads_start(threads, n, run);
	threads_join(threads, n);
}

/* One alone; what it returns. */
static inline void *thread_run(void *(*run)(void *), void *arg)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, run, arg) ||
	    pthread_join(thread, &result))
		abort();
	return result;
}

#endif
