/* handoff: blocks that one thread allocates and another one frees
 *
 * The loads differ in who is connected with whom.
 */
#include "flow.h"

static bool is_even(unsigned index)
{
	return index % 2 == 0;
}

static bool is_first(unsigned index)
{
	return index == 0;
}

static bool is_other(unsigned index)
{
	return index != 0;
}

static const struct flow_kind xmalloc = { false, is_even, 1024, 8, 512 };
static const struct flow_kind one_one = { true, is_even, 256, 16, 1024 };
static const struct flow_kind n_n = { false, is_even, 256, 16, 1024 };
static const struct flow_kind n_one = { false, is_other, 256, 16, 1024 };
static const struct flow_kind one_n = { false, is_first, 256, 16, 1024 };

LOAD(xmalloc) = {
	.name = "xmalloc",
	.about = "half of the threads, at least 2, allocate large batches of "
		 "8 to 512 B, the others free them (Lever and Boreham, malloc "
		 "Performance in a Multithreaded Linux Environment, 2000)",
	.parallel = true, .operations = 8000000, .run = flow_run,
	.kind = &xmalloc
};

LOAD(handoff_1_1) = {
	.name = "handoff-1-1",
	.about = "pairs of threads, at least one: one allocates 16 B to 1 KiB, "
		 "the other one frees (Berger et al., Hoard, 2000: blowup)",
	.parallel = true, .operations = 5000000, .run = flow_run,
	.kind = &one_one
};

LOAD(handoff_n_n) = {
	.name = "handoff-n-n",
	.about = "any of one half of the threads, at least 2, allocates, any "
		 "of the other half frees (pipelines of a server: Hunter et "
		 "al., Beyond Malloc, 2021)",
	.parallel = true, .operations = 5000000, .run = flow_run, .kind = &n_n
};

LOAD(handoff_n_1) = {
	.name = "handoff-n-1",
	.about = "all threads but one, at least 2, allocate, one frees it all "
		 "(loggers; Lietar et al., snmalloc, 2019)",
	.parallel = true, .operations = 5000000, .run = flow_run, .kind = &n_one
};

LOAD(fan_out) = {
	.name = "fan-out",
	.about = "one thread allocates messages, the others, at least 2 with "
		 "it, consume and free them (dispatchers; Lietar et al., "
		 "snmalloc, 2019)",
	.parallel = true, .operations = 5000000, .run = flow_run, .kind = &one_n
};
