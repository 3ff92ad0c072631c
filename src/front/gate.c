/* layer 5.2: gate: whether the fast paths may run; protocol in gate.h */
#include "front/gate.h"

#include "base/word.h"
#include "cpucache/percpu.h"
#include "cpucache/rseq.h"
#include "cpucache/rseq_own.h"
#include "sample/sampler.h"
#include "slab/size_class.h"
#include "system/config.h"
#include "system/sandbox.h"

#define OPEN_TRIES 1000
#define START_TRIES 10 /* each slow call tries again */

struct gate_count {
	uint32_t nr_closers;
	uint32_t version; /* changes with the count; see the header */
};
WORD(gate_count, uint64_t);

/* What is added for one closer more, and for n less, whose carry is the
 * version's step: either makes the word larger. */
#define GATE_CLOSES gate_count_pack((struct gate_count){ 1, 1 })
#define GATE_OPENS(n) gate_count_pack((struct gate_count){ -(n), 0 })

static _Atomic(uint64_t) gate_count; /* atomic: struct gate_count */
static _Atomic(uint32_t) gate_debt;  /* atomic: closers that had no fence */

static bool gate_has_closers(uint64_t gate)
{
	return gate_count_unpack(gate).nr_closers != 0;
}

static bool mode_has_lanes(void)
{
	return load_relaxed(&rseq_state.mode) != MODE_DIRECT && // hint
	       (config.usable == USABLE_REAL || config.hardened ||
		config_checks_full());
}

static _Atomic(uint64_t) *word_small_end(void)
{
	_Atomic(uint64_t) *word = anchor_small_end();

	/* With checks every call is counted as it is. */
	if (word == &anchor.small_end && sample_is_on())
		return &sample_gate.small_end;
	if (word == &gate_marked.small_end && sample_is_on())
		return &gate_checked.small_end;
	return word;
}

static uint64_t tags_end(void)
{
	// [region.nr_committed] with region_raise(): the tags are readable
	return 16 * (uint64_t)load_acquire(&regions[0].nr_committed);
}

/* Opens one of the words. PERCPU_LOST: the count changed; PERCPU_ABORT:
 * every try aborts. */
static enum percpu_result open_word(_Atomic(uint64_t) *word, uint64_t value,
				    uint64_t gate, unsigned tries)
{
	struct rseq_area *self = rseq_self();
	enum percpu_result result = PERCPU_ABORT;
	unsigned i;

	for (i = 0; self && i < tries && result == PERCPU_ABORT; i++)
		result = percpu_store_checked(self, word, value, &gate_count,
					      gate);
	return result;
}

static enum percpu_result open_words(uint64_t gate, unsigned tries)
{
	enum percpu_result result;

	rseq_ensure(); /* nobody has closed it: no vfork child comes here */
	result = open_word(anchor_tags_end(), tags_end(), gate, tries);
	if (result != PERCPU_DONE)
		return result;
	result = open_word(word_small_end(), SMALL_SIZE_MOST + 1, gate, tries);
	/* What was committed since tags_end() found the gate closed. */
	anchor_commit((uint32_t)(tags_end() / 16));
	return result;
}

bool gate_start(void)
{
	uint64_t gate =
		load_relaxed(&gate_count); // own: checked by the section

	/* Who closed it will open it, where that is possible. */
	if (!mode_has_lanes() || gate_has_closers(gate) ||
	    (gate && !rseq_state.fence))
		return true;
	return open_words(gate, START_TRIES) != PERCPU_ABORT;
}

/* Adds a closer, until there was a fence. */
static cold void gate_owe(void)
{
	add_relaxed(&gate_count, GATE_CLOSES); // as a closer's
	// [gate.debt] with gate_settle(): the debt, then the sandbox's word
	add_seq(&gate_debt, 1);
}

void gate_close(void)
{
	add_relaxed(&gate_count, GATE_CLOSES); // the fence orders it
	if (unlikely(!rseq_fence()) && rseq_state.fence)
		gate_owe();
	store_relaxed(&anchor.small_end, 0); // hint to others, own to a child
	store_relaxed(&anchor.tags_end, 0);  // hint
	store_relaxed(&gate_checked.small_end, 0); // hint
	store_relaxed(&gate_checked.tags_end, 0);  // hint
	store_relaxed(&gate_marked.small_end, 0);  // hint
	store_relaxed(&gate_marked.tags_end, 0);   // hint
	store_relaxed(&sample_gate.small_end, 0);  // hint
}

/* Takes n closers away; the last opens it. */
static bool gate_leave(uint32_t n)
{
	// [gate.word] with gate_is_stuck(): then start_gate_moved()'s ready
	uint64_t gate = add_seq(&gate_count, GATE_OPENS(n)) + GATE_OPENS(n);

	if (gate_has_closers(gate) || !rseq_state.fence || !mode_has_lanes())
		return true;
	return open_words(gate, OPEN_TRIES) != PERCPU_ABORT;
}

bool gate_settle(void)
{
	uint32_t debt;

	// [gate.debt] with gate_owe(): the sandbox's word, then the debt
	if (likely(!load_seq(&gate_debt)))
		return true;
	// [sandbox.word] with sandbox_end(): the debt, then the word
	if (load_seq(&sandbox_word))
		return true;
	debt = take_relaxed(&gate_debt, 0); // own: the fence follows
	gate_close();
	return gate_leave(1 + debt);
}

bool gate_open(void)
{
	bool opened = gate_leave(1);

	return gate_settle() && opened;
}

bool gate_is_open(void)
{
	return load_relaxed(&anchor.small_end) ||	// hint
	       load_relaxed(&gate_checked.small_end) || // hint
	       load_relaxed(&gate_marked.small_end) ||	// hint
	       load_relaxed(&sample_gate.small_end);	// hint
}

bool gate_is_stuck(void)
{
	// [gate.word] with gate_leave(): start_slow()'s ready comes before it
	uint64_t gate = load_seq(&gate_count);

	return mode_has_lanes() && !gate_has_closers(gate) &&
	       (!gate || rseq_state.fence) && !gate_is_open();
}
