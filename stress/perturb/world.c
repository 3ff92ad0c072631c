/* world: what the library sees of the system, by the linker's --wrap
 *
 * A clock that runs faster, so that what expires does so in milliseconds;
 * calls that are refused now and then; ids that move, so that CPUs appear
 * which nobody has seen; and a reclaimer whose lives can be forbidden, so
 * that the heap stands still when it is looked at.
 */
#include "cell.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../harness/random.h"
#include "../harness/raw.h"
#include "../harness/replace.h"
#include "front/tick.h"
#include "perturb.h"
#include "system/helper.h"
#include "system/sealed.h"

#define REFUSE_ONE_IN 12

static struct {
	volatile bool refuse, fence_fails;
	volatile unsigned hasty; /* 0: as it is */
	uint32_t token; /* of the parked reclaimer */
	_Atomic(uint64_t) random;
} world;

/* Stacks need it; entry/real.c, which finds it, is no part of this program. */
static __attribute__((constructor(102))) void find_object(void)
{
	*(void **)(void *)&sealed.at.find_object =
		dlsym(RTLD_DEFAULT, "_dl_find_object");
}

static bool now_and_then(bool wanted)
{
	return wanted && random_mix(atomic_fetch_add(&world.random,
						     RANDOM_STEP)) %
				 REFUSE_ONE_IN == 0;
}

void world_start(void)
{
	atomic_store(&world.random, cell.seed);
	world.hasty = cell.hasty;
	world_storm();
}

void world_storm(void)
{
	world.refuse = cell.refuse;
	world.fence_fails = cell.fence_fails;
}

void world_calm(void)
{
	world.refuse = world.fence_fails = false;
}

/* ---- the functions of system.h ---- */

#define REFUSED(...) REPLACE_REFUSED(now_and_then(world.refuse), __VA_ARGS__)

REFUSED(ENOMEM, system_map_at, (void *at, size_t size), (at, size))
REFUSED(EINVAL, system_purge, (void *at, size_t size), (at, size))
REFUSED(EINVAL, system_guard, (void *at, size_t size, bool split),
	(at, size, split))
REFUSED(ENOMEM, system_unguard, (void *at, size_t size, bool split),
	(at, size, split))
REFUSED(ENOMEM, system_move_pages, (void *to, void *from, size_t size),
	(to, from, size))
REPLACE_REFUSED(now_and_then(world.fence_fails), EPERM, system_rseq_fence,
		(void), ())

/* Jumps when the haste begins, and runs on from there. */
REPLACE(uint64_t, system_now_ms, void)
{
	struct {
		long s, ns;
	} now;

	if (!world.hasty)
		return __real_system_now_ms();
	raw_2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.s * 1000000 + (uint64_t)now.ns / 1000) *
	       world.hasty / 1000;
}

/* The helper's. */
REPLACE(bool, system_sleep, _Atomic(uint32_t) *word, uint32_t value,
	uint64_t timeout_ms, const struct system_watch *watch)
{
	if (world.hasty)
		timeout_ms = timeout_ms / world.hasty + 1;
	return __real_system_sleep(word, value, timeout_ms, watch);
}

void world_idle_reclaimer(void)
{
	struct helper_life *life = helper_current();

	if (!cell.reclaimer || cell.pressure) /* then it watches */
		return;
	while (life && load_relaxed(&life->thread.alive))
		usleep(1000);
}

void world_park_reclaimer(void)
{
	bool ended;

	if (cell.reclaimer)
		world.token = helper_forbid(&ended);
}

void world_unpark_reclaimer(void)
{
	if (!cell.reclaimer)
		return;
	helper_allow(world.token);
	tick_ensure_helper();
}

/* ---- ids ---- */

#ifdef PERTURB_SITES
REPLACE(unsigned, rseq_current_id, void)
{
	return __real_rseq_current_id() +
	       *(volatile uint32_t *)&perturb_id_shift;
}
#endif
