/* layer 4.3: rseq check: a section that is watched; contract in rseq_check.h
 *
 * rseq_kernel_aborts() must see a thread being interrupted in a section,
 * scheduled out, and resumed on the same CPU. A system call inside a section
 * is no way to get there: kernels with rseq debugging kill for it, and kernels
 * since 6.19 rightly do not abort for it. So a helper thread, bound to the
 * caller's CPU (system/helper.h), counts and sleeps in turn, while the caller
 * watches the count inside a section. On that CPU the count can change only
 * while the caller is off it: then the section must have been aborted.
 *
 *	count changed, section went on	-> the kernel does not abort
 *	count changed, section aborted	-> it does
 *	neither within the bound	-> nothing learnt: trust it
 *
 * The first caller takes the word `state` by a CAS and alone checks; others
 * trust the kernel meanwhile. A caller that dies leaves CHECK_RUNNING, which
 * is an answer like "nothing learnt"; its helper counts CHECK_COUNTS times and
 * ends.
 */
#include "cpucache/rseq_check.h"

#include "base/atomic.h"
#include "cpucache/rseq.h"
#include "system/cpus.h"
#include "system/helper.h"
#include "system/sandbox.h"
#include "system/system.h"

#define CHECK_ROUNDS 32
#define CHECK_SPINS 2000 /* some 50 to 150 us each round */
#define CHECK_COUNTS 400
#define CHECK_NAP_US 20

static struct check {
	_Atomic(uint32_t) state; /* atomic: enum check_state */
	_Atomic(uint32_t) stop;	 /* atomic: hint, the caller has seen enough */
	uint32_t cpu;		 /* const once the helper runs */
	_Atomic(uint64_t) count; /* atomic: counter, on that CPU only */
} check;

enum check_state { CHECK_NEW, CHECK_RUNNING, CHECK_ABORTS, CHECK_FAILS };

/* Nobody wants it to go on. */
static bool check_is_over(struct helper_life *life)
{
	return load_relaxed(&check.stop) || helper_must_end(life); // hint
}

/* Off the CPU and on again in turn; nothing is waited for. */
static void check_helper(struct helper_life *life)
{
	unsigned i;

	helper_begin(life);
	if (!system_bind_to_cpu(check.cpu)) {
		for (i = 0; i < CHECK_COUNTS && !check_is_over(life); i++) {
			add_relaxed(&check.count, 1); // counter
			system_nap(CHECK_NAP_US);
		}
	}
	helper_end(life);
}

/* CHECK_RUNNING: nothing learnt. */
static enum check_state check_round(struct rseq_area *self)
{
	uint64_t before = load_relaxed(&check.count); // counter
	enum percpu_result result;

	result = percpu_watch(self, check.cpu, &check.count, CHECK_SPINS);
	if (result == PERCPU_DONE)
		return CHECK_FAILS;
	if (result == PERCPU_ABORT &&
	    load_relaxed(&check.count) != before) // counter
		return CHECK_ABORTS;
	return CHECK_RUNNING;
}

static enum check_state check_by_helper(struct rseq_area *self)
{
	enum check_state state = CHECK_RUNNING;
	struct helper_life *life;
	unsigned i;

	check.cpu = load_once(&self->cpu_id);
	if (helper_start(check_helper, false, &life))
		return CHECK_RUNNING;
	system_nap(CHECK_NAP_US); /* who wakes up preempts soonest */
	for (i = 0; i < CHECK_ROUNDS && state == CHECK_RUNNING; i++)
		state = check_round(self);
	store_relaxed(&check.stop, 1); // hint
	helper_await_end(life);
	return state;
}

static enum check_state check_kernel(struct rseq_area *self)
{
	enum check_state state;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return CHECK_RUNNING;
	state = check_by_helper(self);
	sandbox_rare_done();
	return state;
}

bool rseq_kernel_aborts(void)
{
	struct rseq_area *self = rseq_self();
	uint32_t state = CHECK_NEW;

	if (!self)
		return true;
	// held: one caller alone checks
	if (!cas_relaxed(&check.state, &state, CHECK_RUNNING))
		return state != CHECK_FAILS;
	state = check_kernel(self);
	store_relaxed(&check.state, state); // hint: the answer of later calls
	return state != CHECK_FAILS;
}
