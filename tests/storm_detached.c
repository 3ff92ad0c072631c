/* storm_detached: threads that nobody joins, one after the other
 *
 * A libc may unmap such a thread's stack and thread-local memory while it
 * still runs. Each thread allocates, ends, and allocates again in a key's
 * destructors, in every round of them that there is.
 */
#include "storm.h"

#define AT_ONCE 8 /* of each thread's children */
#define NR_BLOCKS 24

static struct ring ring;
static pthread_key_t key;

static void some_blocks(uint64_t owner)
{
	struct block blocks[NR_BLOCKS];

	for (unsigned i = 0; i < NR_BLOCKS; i++)
		must(block_malloc(&blocks[i], 16 + 40 * i, owner));
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		block_free(&blocks[i]);
}

struct child {
	_Atomic(unsigned) *nr_alive;
	unsigned destructions;
};

static void destructor(void *arg)
{
	struct child *child = arg;

	some_blocks((uintptr_t)child);
	if (++child->destructions < PTHREAD_DESTRUCTOR_ITERATIONS) {
		must(!pthread_setspecific(key, child));
		return;
	}
	atomic_fetch_sub(child->nr_alive, 1);
	free(child);
}

static void *child_run(void *arg)
{
	must(!pthread_setspecific(key, arg));
	some_blocks((uintptr_t)arg);
	return NULL;
}

static void start_child(_Atomic(unsigned) *nr_alive)
{
	struct child *child = malloc(sizeof(*child));
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	must(child);
	*child = (struct child){ .nr_alive = nr_alive };
	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
	while (atomic_load(nr_alive) >= AT_ONCE)
		sched_yield();
	atomic_fetch_add(nr_alive, 1);
	/* The ends of threads that count as gone may still hold memory. */
	while ((error = pthread_create(&thread, &attr, child_run, child)))
		must(error == EAGAIN && !sched_yield());
	pthread_attr_destroy(&attr);
}

static void *work(void *arg)
{
	_Atomic(unsigned) nr_alive = 0;
	struct live live;

	live_init(&live, (uintptr_t)arg, 16 * KIB, 16, &ring);
	for (unsigned i = 0; i < storm.rounds; i++) {
		start_child(&nr_alive);
		live_step(&live);
	}
	while (atomic_load(&nr_alive))
		sched_yield();
	live_fini(&live);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 1500);
	must(!pthread_key_create(&key, destructor));
	ring_init(&ring, 256, false);
	storm_parallel(storm.threads, work, 256 * KIB);
	ring_end(&ring);
	return storm_done();
}
