/* layer 5.2: gate: whether the fast paths may run; protocol in gate.h */
#include "front/gate.h"

#include "cpucache/percpu.h"
#include "cpucache/rseq.h"
#include "slab/size_class.h"
#include "system/config.h"

#define GATE_COUNT_MASK ((uint64_t)0xffffffff)
#define GATE_VERSION_ONE ((uint64_t)1 << 32)
#define OPEN_TRIES 1000
#define START_TRIES 10 /* each slow call tries again */

static _Atomic(uint64_t) gate_word; /* atomic */
struct gate_words gate_checked;

static bool mode_has_lanes(void)
{
	return load_relaxed(&rseq_state.mode) != MODE_DIRECT && // hint
	       !config_checks_full() && config.usable == USABLE_REAL;
}

/* The pair that opens. */
static _Atomic(uint64_t) *word_tags_end(void)
{
	return config_checks_fast() ? &gate_checked.tags_end :
				      &anchor.tags_end;
}

static _Atomic(uint64_t) *word_small_end(void)
{
	return config_checks_fast() ? &gate_checked.small_end :
				      &anchor.small_end;
}

static uint64_t tags_end(void)
{
	// [region.nr_committed] with region_raise(): the tags are readable
	return 16 * (uint64_t)load_acquire(&regions[0].nr_committed);
}

/* One of the two words. PERCPU_LOST: the gate word changed; PERCPU_ABORT:
 * every try aborts. */
static enum percpu_result open_word(_Atomic(uint64_t) *word, uint64_t value,
				    uint64_t gate, unsigned tries)
{
	struct rseq_area *self = rseq_self();
	enum percpu_result result = PERCPU_ABORT;
	unsigned i;

	for (i = 0; self && i < tries && result == PERCPU_ABORT; i++)
		result = percpu_store_checked(self, word, value, &gate_word,
					      gate);
	return result;
}

static enum percpu_result open_words(uint64_t gate, unsigned tries)
{
	enum percpu_result result;

	rseq_ensure(); /* nobody has closed it: no vfork child comes here */
	result = open_word(word_tags_end(), tags_end(), gate, tries);
	if (result != PERCPU_DONE)
		return result;
	result = open_word(word_small_end(), SMALL_SIZE_MOST + 1, gate, tries);
	/* What was committed since tags_end() found the gate closed. */
	region_committed(&regions[0], (uint32_t)(tags_end() / 16));
	return result;
}

bool gate_start(void)
{
	uint64_t gate = load_relaxed(&gate_word); // own: checked by the section

	/* Who closed it will open it, where that is possible. */
	if (!mode_has_lanes() || gate & GATE_COUNT_MASK ||
	    (gate && !rseq_state.fence))
		return true;
	return open_words(gate, START_TRIES) != PERCPU_ABORT;
}

void gate_close(void)
{
	add_relaxed(&gate_word, GATE_VERSION_ONE + 1); // the fence orders it
	/* A fence that fails although the kernel has it: nobody can tell when
	 * the last opener is through, so the gate is never opened again. */
	if (!rseq_fence() && rseq_state.fence)
		add_relaxed(&gate_word, GATE_VERSION_ONE + 1); // likewise
	store_relaxed(&anchor.small_end, 0); // hint to others, own to a child
	store_relaxed(&anchor.tags_end, 0);  // likewise
	store_relaxed(&gate_checked.small_end, 0); // likewise
	store_relaxed(&gate_checked.tags_end, 0);  // likewise
}

bool gate_open(void)
{
	// [gate.word] with gate_is_stuck(): then heap_gate_open()'s ready
	uint64_t gate = add_seq(&gate_word, GATE_VERSION_ONE - 1) +
			GATE_VERSION_ONE - 1;

	if (gate & GATE_COUNT_MASK || !rseq_state.fence || !mode_has_lanes())
		return true;
	return open_words(gate, OPEN_TRIES) != PERCPU_ABORT;
}

void gate_close_for_good(void)
{
	gate_close();
}

bool gate_is_open(void)
{
	return load_relaxed(&anchor.small_end) ||	   // hint
	       load_relaxed(&gate_checked.small_end); // hint
}

bool gate_is_stuck(void)
{
	// [gate.word] with gate_open(): start_slow()'s ready comes before it
	uint64_t gate = load_seq(&gate_word);

	return mode_has_lanes() && !(gate & GATE_COUNT_MASK) &&
	       (!gate || rseq_state.fence) && !gate_is_open();
}

/* More tags became usable: the fast path of free may look at them. A closed
 * gate stays closed; its next opening reads the new end. */
void region_committed(struct region *region, uint32_t nr_units)
{
	_Atomic(uint64_t) *word = word_tags_end();
	uint64_t end = load_relaxed(word); // hint

	if (region != &regions[0])
		return;
	while (end && end < 16 * (uint64_t)nr_units)
		// hint: the kernel made the tags readable for everybody
		if (cas_relaxed(word, &end, 16 * (uint64_t)nr_units))
			return;
}
