/* plain: the perturber of a build that has no sites */
#include "../harness/cpus.h"
#include "perturb.h"

static cpu_set_t allowed;

void perturb_set(uint64_t seed, uint32_t every)
{
	(void)seed;
	(void)every;
	if (!CPU_COUNT(&allowed))
		cpus_allowed(&allowed);
}

void perturb_thread_start(void)
{
}

void perturb_thread_end(void)
{
}

bool perturb_trap_allow(bool allow)
{
	return allow;
}

void perturb_focus(uint64_t random)
{
	(void)random;
}

void perturb_signal_one(uint64_t random)
{
	(void)random;
}

void perturb_do(enum perturb_kind kind, uint64_t random)
{
	(void)kind;
	(void)random;
}

/* The affinity storm is the load's, and the same in both builds. */
void perturb_move(int tid, uint64_t random)
{
	cpus_go(tid, &allowed, random);
}

void perturb_set_id_shift(uint32_t shift)
{
	(void)shift;
}

void perturb_write(FILE *out)
{
	(void)out;
}

bool perturb_is_built_in(void)
{
	return false;
}
