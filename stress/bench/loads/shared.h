/* shared: what several parallel loads are made of
 *
 * Small threads, and pools that hand things between threads. A pool is touched
 * once for some hundred blocks, so that the malloc's time is not hidden behind
 * it.
 */
#ifndef SHARED_H
#define SHARED_H

#include <pthread.h>

#include "loads/blocks.h"

#define LINE 128	/* bytes that two CPUs do not share, with prefetch */

/* A joinable thread with a stack of 64 KiB. */
pthread_t thread_start(void *(*main)(void *), void *argument);

/*
 * Things that any thread puts and any thread takes, about in the order in
 * which they came. What was written before put() is seen after take().
 *
 * put() never waits; take() sleeps while the pool is empty. Since waking
 * costs much, put() wakes a sleeper only where `wake_at` things are there.
 * For fewer, whoever put them must wake(): before it sleeps in another pool
 * (take() does so for `other`, if not NULL), and before it puts no more.
 */
struct pool;

/* `most`: how many things it ever holds at a time. */
struct pool *pool_new(size_t most, size_t wake_at);
void pool_free(struct pool *pool);
void pool_put(struct pool *pool, void *thing);
void *pool_take(struct pool *pool, struct pool *other);
void pool_wake(struct pool *pool);

#endif
