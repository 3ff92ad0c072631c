/* storm_children: parents whose children share their memory and work on their
 * live sets, while other threads run; each storm says how a child begins. A
 * parent goes on with what its child allocated.
 */
#ifndef STORM_CHILDREN_H
#define STORM_CHILDREN_H

#include "storm.h"

#define NR_PARENTS 4
#define CHILD_STEPS 60

static struct ring ring;
static atomic_uint nr_parents;

static void child_steps(struct live *live)
{
	for (unsigned i = 0; i < CHILD_STEPS; i++)
		live_step(live);
}

/* In the storm. */
static void parent(struct live *live);

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	struct live live;

	live_init(&live, index, 64 * KIB, 64, &ring);
	if (index < NR_PARENTS) {
		parent(&live);
		atomic_fetch_sub(&nr_parents, 1);
	}
	while (atomic_load(&nr_parents))
		live_step(&live);
	live_fini(&live);
	return NULL;
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, 4, 600);
	atomic_store(&nr_parents, NR_PARENTS);
	ring_init(&ring, 256, false);
	storm_parallel(NR_PARENTS + storm.threads, work, 256 * KIB);
	ring_end(&ring);
	return storm_done();
}

#endif
