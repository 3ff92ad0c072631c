/* threadtest: every thread allocates many small objects, then frees them
 *
 * The threads have nothing to do with each other: what they wait for, they
 * wait for inside malloc. A round's objects are divided among the threads.
 */
#include "load.h"

#define NR_OBJECTS 32768
#define SIZE_STEP 8
#define NR_SIZES 8

static size_t round_of(struct worker *worker)
{
	size_t nr = NR_OBJECTS / worker->run->threads;

	return nr ? nr : 1;
}

static void one_round(struct worker *worker, void **objects, size_t nr,
		      size_t size)
{
	for (size_t i = 0; i < nr; i++)
		objects[i] = load_get(worker->run, size);
	for (size_t i = 0; i < nr; i++)
		load_put(worker->run, objects[i], size);
}

static void body(struct worker *worker)
{
	size_t most = round_of(worker);
	void **objects = load_table(most * sizeof(*objects));
	size_t nr_rounds = 0;

	while (worker->operations) {
		size_t nr = worker->operations < most ? worker->operations :
							most;

		one_round(worker, objects, nr,
			  (1 + nr_rounds++ % NR_SIZES) * SIZE_STEP);
		worker->operations -= nr;
	}
	load_table_free(objects, most * sizeof(*objects));
}

LOAD(threadtest) = {
	.name = "threadtest",
	.about = "each thread allocates its share of 32,768 objects of 8 to "
		 "64 B, then frees them, and again (Berger et al., Hoard, "
		 "2000)",
	.parallel = true, .operations = 25000000, .body = body
};
