/* layer 4.3: rseq_own: threads register themselves; protocol in rseq_own.h */
#include "cpucache/rseq_own.h"

#include <pthread.h>
#include <sys/auxv.h>

#include "base/atomic.h"
#include "cpucache/percpu.h"
#include "cpucache/rseq.h"
#include "system/config.h"
#include "system/sandbox.h"

/* Above, a libc may allocate for a key's value. */
#define KEY_MOST 31

/* So that a static program has it: it says whether mm_cid is filled. */
__attribute__((used)) static unsigned long (*const keep_getauxval)(
	unsigned long) = getauxval;

static __thread struct own {
	struct rseq_area area;
	volatile bool ended;   /* it never registers again */
	volatile bool refused; /* it does not try again */
} own = { .area.cpu_id = RSEQ_NEW_THREAD };

static pthread_key_t key;	/* const once ready */
static _Atomic(uint32_t) state; /* atomic: enum rseq_own_state */

static void own_end(void *unused)
{
	(void)unused;
	own.ended = true;
	if (!sandbox_strict())
		rseq_unregister(&own.area);
}

static bool own_is_new(void)
{
	return *(volatile uint32_t *)&own.area.cpu_id == RSEQ_NEW_THREAD &&
	       !own.ended && !own.refused;
}

/* The end is seen to first. */
static void own_register(void)
{
	if (pthread_setspecific(key, &own) ||
	    (rseq_register(&own.area) && own_is_new()))
		own.refused = true;
}

void rseq_own_register(void)
{
	// [rseq_own.state] with rseq_own_start(): key
	if (load_acquire(&state) != RSEQ_OWN_READY || !own_is_new() ||
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	own_register();
	sandbox_rare_done();
}

static bool key_make(void)
{
	return !pthread_key_create(&key, own_end) && key <= KEY_MOST;
}

void rseq_own_start(void)
{
	uint32_t now = RSEQ_OWN_NONE;

	config_start();
	if (config.rseq && key_make()) {
		own_register();
		if (!own.refused)
			now = RSEQ_OWN_READY;
	}
	// [rseq_own.state] with rseq_own_register(): key
	store_release(&state, now);
}

enum rseq_own_state rseq_own_state(void)
{
	return load_relaxed(&state); // hint: a plain number
}

int64_t rseq_own_cs(void)
{
	return (char *)&own.area.rseq_cs - percpu_thread_pointer();
}
