/* layer 4.2: rseq: threads' areas, their ids, and what sections need of the
 * kernel */
#include "cpucache/rseq.h"

#include "system/cpus.h"
#include "system/system.h"

struct rseq_state rseq_state;

#ifdef LANE_INJECT
uint32_t percpu_inject[16];
#endif

/* Fibonacci hashing; threads' areas are pages apart. */
static unsigned hash_thread(uint32_t nr)
{
	uint64_t tp = (uint64_t)(uintptr_t)percpu_thread_pointer();
	uint64_t mixed = (tp >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return nr ? (unsigned)(mixed * nr >> 32) : 0;
}

/* Returns the area that sections arm, NULL before rseq_start(). */
static struct rseq_area *armed_area(void)
{
	int64_t rseq_cs = anchor.rseq_cs;

	return rseq_cs ? rseq_area_at(rseq_cs) : NULL;
}

unsigned rseq_current_id(void)
{
	struct rseq_area *area = rseq_self();
	uint32_t *field = (void *)(percpu_thread_pointer() + anchor.id);
	uint32_t id = REGION_TABLE_WORDS;

	if (area)
		id = load_once(field);
	return id < REGION_TABLE_WORDS ? id : hash_thread(rseq_state.nr_cpus);
}

struct rseq_area *rseq_self(void)
{
	struct rseq_area *area = armed_area();

	return area && rseq_area_cpu_id(area) < REGION_TABLE_WORDS ? area :
								     NULL;
}

int rseq_register(struct rseq_area *area)
{
	return system_rseq_register(area, RSEQ_AREA_SIZE, PERCPU_SIGNATURE);
}

void rseq_unregister(struct rseq_area *area)
{
	system_rseq_unregister(area, RSEQ_AREA_SIZE, PERCPU_SIGNATURE);
}

bool rseq_fence(void)
{
	return rseq_state.fence && !system_rseq_fence();
}
