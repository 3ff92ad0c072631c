/* layer 5.4: start: making the heap ready */
#include "front/start.h"

#include "cpucache/areas.h"
#include "cpucache/mode.h"
#include "front/colour.h"
#include "front/gate.h"
#include "front/limits.h"
#include "guard/pool.h"
#include "pageheap/regions.h"
#include "sample/lasting.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/peek.h"
#include "system/sandbox.h"

static _Atomic(uint32_t) ready;		 /* atomic: all of start-up is done */
static _Atomic(uint32_t) sampling_begun; /* atomic: hint, as options say */

/* By every racer, as each opens the gate that the sampler's state says; but not
 * again where a later call has to open it. */
static void sampling_begin(void)
{
	bool profile = config.profile || config.profile_leak;

	if (load_relaxed(&sampling_begun))
		return;
	if (profile)
		sampler_start(SAMPLE_PROFILE);
	if (config.guard && guarded_start())
		sampler_start(SAMPLE_GUARD);
	if (config_checks_full())
		system_peek_start();
	if (config_checks_full() && config.check_stacks)
		sampler_start(SAMPLE_NOBODY); /* its tables of stacks */
	store_relaxed(&sampling_begun, 1);
}

static cold bool start_slow(void)
{
	bool libc = config_start() && rseq_libc_ready();

	lasting_start();
	size_class_start();
	if (!region_start())
		return false;
	anchor_set(&regions[0]);
	areas_start();
	if (!libc)
		return true;
	colour_start();
	rseq_start();
	pressure_start();
	sampling_begin();
	/* Only then ready, so that the next call opens the gate where this
	 * thread could not. */
	if (!gate_start())
		return true;
	// [heap.ready] with heap_start(): config, tables, mode
	// [heap.gate] with start_gate_moved(): ready, then the gate's word
	store_seq(&ready, 1);
	if (gate_is_stuck())
		store_relaxed(&ready, 0); // hint: the next call tries again
	return true;
}

bool heap_start(void)
{
	// [heap.ready] with start_slow(): config, tables, mode
	if (likely(load_acquire(&ready)))
		return true;
	return start_slow();
}

void start_gate_moved(bool done)
{
	if (unlikely(!done))
		// [heap.gate] with start_slow(): the gate's word, then ready
		store_seq(&ready, 0);
}
