/* shared: threads, pools; see shared.h
 *
 * A pool is a ring of cells and a count of the full ones. Who took one off the
 * count knows that one of the cells is his, and looks for it from where the
 * last one was taken; who puts looks for an empty cell likewise. A thread that
 * is preempted between its two steps keeps nobody waiting: the others pass
 * over its cell.
 *
 * Sleeping: the taker adds itself to the sleepers and then looks at the count,
 * whoever put adds to the count and then looks at the sleepers (in pool_wake()
 * at the latest), all sequentially consistent: one of them sees the other. A
 * wake between the taker's look and its sleep has changed the number that it
 * sleeps on. Where threads only sleep in one of two pools, with nothing in
 * their hands, the last one awake empties one pool, so that the things are in
 * the other, whose sleepers it wakes.
 */
#include "shared.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE (64 << 10)

pthread_t thread_start(void *(*main)(void *), void *argument)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	error = pthread_create(&thread, &attr, main, argument);
	pthread_attr_destroy(&attr);
	if (error)
		load_die("no thread: %s", strerror(error));
	return thread;
}

struct pool {
	_Alignas(LINE) atomic_size_t nr_things;
	_Alignas(LINE) atomic_uint nr_sleepers;
	atomic_uint nr_wakes;	/* the sleepers' futex */
	_Alignas(LINE) atomic_size_t next_put;
	_Alignas(LINE) atomic_size_t next_take;
	_Alignas(LINE) size_t wake_at;
	size_t nr_cells;	/* a power of two */
	_Atomic(void *) cells[];
};

static size_t pool_bytes(size_t nr_cells)
{
	return sizeof(struct pool) + nr_cells * sizeof(void *);
}

struct pool *pool_new(size_t most, size_t wake_at)
{
	struct pool *pool;
	size_t nr_cells = 1;

	while (nr_cells < most)
		nr_cells *= 2;
	pool = load_table(pool_bytes(nr_cells));
	pool->nr_cells = nr_cells;
	pool->wake_at = wake_at;
	return pool;
}

void pool_free(struct pool *pool)
{
	load_table_free(pool, pool_bytes(pool->nr_cells));
}

static void wake(struct pool *pool, size_t nr)
{
	atomic_fetch_add(&pool->nr_wakes, 1);
	syscall(SYS_futex, &pool->nr_wakes, FUTEX_WAKE_PRIVATE, (int)nr);
}

void pool_wake(struct pool *pool)
{
	size_t nr = atomic_load(&pool->nr_things);

	if (nr && atomic_load(&pool->nr_sleepers))
		wake(pool, nr);
}

/* Returns when there may be something again. */
static void pool_sleep(struct pool *pool, struct pool *other)
{
	unsigned wakes = atomic_load(&pool->nr_wakes);

	atomic_fetch_add(&pool->nr_sleepers, 1);
	if (!atomic_load(&pool->nr_things)) {
		if (other)
			pool_wake(other);
		syscall(SYS_futex, &pool->nr_wakes, FUTEX_WAIT_PRIVATE, wakes,
			NULL);
	}
	atomic_fetch_sub(&pool->nr_sleepers, 1);
}

static bool cell_put(_Atomic(void *) *cell, void *thing)
{
	void *empty = NULL;

	return !atomic_load_explicit(cell, memory_order_relaxed) &&
		atomic_compare_exchange_strong_explicit(
			cell, &empty, thing, memory_order_release,
			memory_order_relaxed);
}

static void *cell_take(_Atomic(void *) *cell)
{
	if (!atomic_load_explicit(cell, memory_order_relaxed))
		return NULL;
	return atomic_exchange_explicit(cell, NULL, memory_order_acquire);
}

void pool_put(struct pool *pool, void *thing)
{
	size_t at = atomic_fetch_add_explicit(&pool->next_put, 1,
					      memory_order_relaxed);

	while (!cell_put(&pool->cells[at & (pool->nr_cells - 1)], thing))
		at++;
	if (atomic_fetch_add(&pool->nr_things, 1) + 1 >= pool->wake_at &&
	    atomic_load(&pool->nr_sleepers))
		wake(pool, 1);
}

static bool claim(struct pool *pool)
{
	size_t nr = atomic_load(&pool->nr_things);

	while (nr) {
		if (atomic_compare_exchange_weak(&pool->nr_things, &nr, nr - 1))
			return true;
	}
	return false;
}

void *pool_take(struct pool *pool, struct pool *other)
{
	void *thing;
	size_t at;

	while (!claim(pool))
		pool_sleep(pool, other);
	at = atomic_fetch_add_explicit(&pool->next_take, 1,
				       memory_order_relaxed);
	while (!(thing = cell_take(&pool->cells[at & (pool->nr_cells - 1)])))
		at++;
	return thing;
}
