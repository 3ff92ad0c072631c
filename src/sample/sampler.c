/* layer 4.8: sampler: which allocations are followed, and by which stack;
 * contract in sampler.h */
#include "sample/sampler.h"

#include "base/bits.h"
#include "cpucache/areas.h"
#include "cpucache/rseq.h"
#include "sample/chance.h"
#include "sample/fde.h"
#include "sample/live.h"
#include "sample/probe.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "sample/unwind.h"
#include "system/config.h"
#include "system/environ.h"
#include "system/peek.h"
#include "system/place.h"
#include "system/system.h"

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)
#define ENTRY_POINT 9 /* AT_ENTRY */
#define WHO_MASK ((1u << LIVE_WHO_BITS) - 1)
#define REGION_MASK ((1u << LIVE_REGION_BITS) - 1)

struct sample_gate sample_gate;
/* own: of those that had a sample; 0: none yet */
static __thread uint32_t own_number;

static _Atomic(uint64_t) memory;      /* atomic: of all tables; set once */
static _Atomic(uint32_t) ready;	      /* atomic: the tables can be used */
static _Atomic(uint64_t) random_next; /* atomic: own, each value is used once */
static _Atomic(uint32_t) nr_threads;  /* atomic: own, each value is used once */
/* const: our code, once it can be found; all who look store the same */
static _Atomic(uint64_t) own_begin, own_end;

struct sampler_tables sampler_tables;
struct sampler_counts sampler_counts;
static _Atomic(uint64_t) live_space; /* atomic: counter, bytes in use */
static _Atomic(uint64_t) peak_space; /* atomic: hint, those at the peak */

/* The tables */

/* Shares of the whole, in sixteenths: addresses, index, blocks; the rest is for
 * records. */
#define SHARE_SITES 2
#define SHARE_INDEX 1
#define SHARE_LIVE 5

static void tables_place(char *at, uint64_t size)
{
	uint64_t part = round_down(size / 16, CACHE_LINE);
	struct sampler_tables *t = &sampler_tables;

	t->sites = at;
	t->nr_sites = SHARE_SITES * part / sizeof(uint64_t);
	t->index = at += SHARE_SITES * part;
	t->nr_index = SHARE_INDEX * part / sizeof(uint32_t);
	t->keys = at += SHARE_INDEX * part;
	t->records = at += SHARE_LIVE * part;
	t->nr_words = (16 - SHARE_SITES - SHARE_INDEX - SHARE_LIVE) * part /
		      sizeof(uint64_t);
	site_start(t->sites, t->nr_sites);
	trace_start(t->index, t->nr_index, t->records, t->nr_words);
	t->nr_keys = live_start(t->keys, SHARE_LIVE * part);
}

/* The program's own code is not cut off where the library is a part of it. */
static void own_find(void)
{
	uint64_t begin, end, entry = getauxval ? getauxval(ENTRY_POINT) : 0;

	if (!fde_object((uintptr_t)&sampler_start, &begin, &end) ||
	    entry - begin < end - begin)
		return;
	store_relaxed(&own_begin, begin); // before publish
	// [sampler.own] with own_calls(): where our code begins
	store_release(&own_end, end);
}

static bool tables_start(void)
{
	uint64_t size = config.profile_memory;
	uint64_t found = load_relaxed(&memory); // own: an address of zeros
	void *mine;

	if (!found) {
		mine = place_map(size);
		if (!mine)
			return false;
		if (cas_relaxed(&memory, &found, (uintptr_t)mine)) // own
			found = (uintptr_t)mine;
		else
			system_unmap(mine, size);
	}
	tables_place((char *)(uintptr_t)found, size);
	system_peek_start();
	add_relaxed(&random_next, system_random()); // own
	// [sampler.ready] with sampler_has_tables(): where the tables are
	store_release(&ready, 1);
	return true;
}

bool sampler_has_tables(void)
{
	// [sampler.ready] with tables_start(): where the tables are
	return load_acquire(&ready);
}

bool sampler_start(enum sample_user user)
{
	if (!sampler_has_tables() && !tables_start())
		return false;
	or_relaxed(&sample_gate.on, user); // hint: sample_count() asks again
	return true;
}

void sampler_stop(enum sample_user user)
{
	and_relaxed(&sample_gate.on, ~(uint32_t)user);
}

/* Counting bytes */

static int64_t distance_draw(void)
{
	uint64_t n = add_relaxed(&random_next, RANDOM_STEP); // own

	return (int64_t)chance_distance(bits_scramble(n),
					config.profile_interval);
}

/* Finds the count of the calling thread's CPU, and what is left of it. */
static _Atomic(int64_t) *count_find(int64_t *left)
{
	_Atomic(int64_t) *count = areas_count(rseq_current_id());

	*left = load_relaxed(count); // hint: a CAS or a sum follows
	if (unlikely(*left < AREA_COUNT_NONE / 2) &&
	    cas_relaxed(count, left, distance_draw())) // hint: any will do
		*left = load_relaxed(count);	       // hint: likewise
	return count;
}

bool sample_fits(size_t size)
{
	int64_t left;

	count_find(&left);
	return (int64_t)size <= left;
}

void sample_pass(size_t size)
{
	int64_t left;

	sub_relaxed(count_find(&left), (int64_t)size); // hint
}

bool sample_count(size_t size)
{
	_Atomic(int64_t) *count;
	int64_t left;

	if (unlikely(!sampler_has_tables()) || !size)
		return false;
	count = count_find(&left);
	while (unlikely((int64_t)size > left))
		// hint: who wins it samples; a round is lost to who counted
		if (cas_relaxed(count, &left, distance_draw()))
			return true;
	sub_relaxed(count, (int64_t)size); // hint
	return false;
}

/* Samples */

/* Counts the return addresses at the stack's beginning that are ours. */
static unsigned own_calls(const uint64_t *pcs, unsigned n)
{
	// [sampler.own] with own_find(): where our code begins
	uint64_t begin, end = load_acquire(&own_end);
	unsigned own = 0;

	if (unlikely(!end)) {
		own_find();
		end = load_relaxed(&own_end); // own: just stored, or 0
	}
	begin = load_relaxed(&own_begin); // const
	while (own < n && pcs[own] - begin < end - begin)
		own++;
	return own;
}

static __attribute__((noinline)) uint32_t
stack_walk(struct frame *frame, struct memory *memory, uint64_t caller)
{
	uint64_t pcs[UNWIND_MOST];
	struct memo_notes notes;
	unsigned n = unwind_callers(frame, memory, pcs, UNWIND_MOST, &notes);
	unsigned own = own_calls(pcs, n);
	uint32_t stack = trace_intern(pcs + own, n - own);

	memo_keep(&notes, own, caller, stack);
	return stack;
}

/* Its frame is where each walk begins. */
__attribute__((noinline)) uint32_t sample_stack_keep(void)
{
	uint64_t caller = (uintptr_t)__builtin_return_address(0);
	struct memory memory;
	struct frame frame;
	uint32_t stack;

	frame_here(&frame);
	memory_open(&memory, frame.r[FRAME_SP]);
	stack = memo_find(&frame, &memory, caller);
	return likely(stack) ? stack : stack_walk(&frame, &memory, caller);
}

uint32_t sample_stack_counted(void)
{
	uint32_t stack = sample_stack_keep();

	add_relaxed(&sampler_counts.nr_samples, 1);
	if (!stack)
		add_relaxed(&sampler_counts.nr_dropped, 1);
	return stack;
}

/* Copies what is in use to the peak's counts, unless another does for a peak
 * above this one. One that slept may set a count of a later moment. */
static cold void peak_copy(uint64_t peak)
{
	struct trace *trace;
	uint32_t at = 0;

	while ((trace = trace_next(&at))) {
		if (load_relaxed(&peak_space) != peak)
			return;
		store_relaxed(&trace->counts[TRACE_PEAK_OBJECTS],
			      trace_less(trace, TRACE_ALLOC_OBJECTS,
					 TRACE_FREED_OBJECTS));
		store_relaxed(&trace->counts[TRACE_PEAK_SPACE],
			      trace_less(trace, TRACE_ALLOC_SPACE,
					 TRACE_FREED_SPACE));
	}
}

static void peak_note(uint64_t space, uint64_t most)
{
	uint64_t peak = load_relaxed(&peak_space);

	if (space <= peak + most)
		return;
	if (cas_relaxed(&peak_space, &peak, space))
		peak_copy(space);
}

void sampler_note_peak(void)
{
	peak_note(load_relaxed(&live_space), 0);
}

/* Notes a peak that is higher by an eighth at least, so that the copies of a
 * heap that grows stay few. */
static void peak_note_grown(uint64_t space)
{
	peak_note(space, load_relaxed(&peak_space) / 8);
}

static uint64_t space_of(uint64_t size, uint64_t weight)
{
	return (uint64_t)((unsigned __int128)size * weight >> CHANCE_SHIFT);
}

/* As long as they are few no two threads have the same lowest bits. A handler
 * that comes between draws another number for the same thread. */
static uint32_t thread_number(void)
{
	if (unlikely(!own_number))
		own_number = add_relaxed(&nr_threads, 1) + 1; // own
	return own_number;
}

static void count_alloc(struct trace *trace, size_t size, uint64_t weight,
			uint64_t space)
{
	trace_add(trace, TRACE_ALLOCS, 1);
	trace_add(trace, TRACE_ALLOC_BYTES, size);
	trace_add(trace, TRACE_ALLOC_OBJECTS, weight);
	trace_add(trace, TRACE_ALLOC_SPACE, space);
}

void sample_add(const void *block, size_t size, uint32_t stack,
		const struct sample_slab *slab, bool grown)
{
	uint64_t weight = chance_weight(size, config.profile_interval);
	uint64_t space = space_of(size, weight);
	struct live_info info = { .size = size,
				  .trace = stack,
				  .since = (uint32_t)system_now_ms(),
				  .life = slab->life,
				  .size_class = slab->size_class,
				  .region = slab->region & REGION_MASK,
				  .id = rseq_current_id() & WHO_MASK,
				  .thread = thread_number() & WHO_MASK };
	struct trace *trace = trace_of(stack);

	if (!live_add(block, &info)) {
		add_relaxed(&sampler_counts.nr_dropped, 1);
		return;
	}
	probe_alloc(block, size, space);
	count_alloc(trace, size, weight, space);
	if (grown) {
		trace_add(trace, TRACE_GROWN_OBJECTS, weight);
		trace_add(trace, TRACE_GROWN_SPACE, space);
	}
	peak_note_grown(add_relaxed(&live_space, space) + space);
}

/* Milliseconds. */
#define AGE_SHORT 10
#define AGE_MIDDLE 1000
#define AGE_LONG 60000

static enum trace_count count_of_age(uint32_t age)
{
	if (age < AGE_SHORT)
		return TRACE_FREED_SHORT;
	return age < AGE_MIDDLE ? TRACE_FREED_MIDDLE : TRACE_FREED_LONG;
}

static void count_who(struct trace *trace, const struct live_info *info,
		      uint64_t weight)
{
	if (info->id != (rseq_current_id() & WHO_MASK))
		trace_add(trace, TRACE_FREED_AWAY, weight);
	if (info->thread != (thread_number() & WHO_MASK))
		trace_add(trace, TRACE_FREED_BY_OTHER, weight);
}

void sample_remove(const void *block)
{
	struct live_info info;
	struct trace *trace;
	uint64_t weight;
	uint32_t age;

	if (!live_remove(block, &info))
		return;
	probe_free(block);
	weight = chance_weight(info.size, config.profile_interval);
	trace = trace_of(info.trace);
	age = (uint32_t)system_now_ms() - info.since;
	trace_add(trace, TRACE_FREES, 1);
	trace_add(trace, TRACE_FREED_BYTES, info.size);
	trace_add(trace, TRACE_FREED_OBJECTS, weight);
	trace_add(trace, TRACE_FREED_SPACE, space_of(info.size, weight));
	trace_add(trace, TRACE_LIFETIME, space_of(age, weight));
	if (age < AGE_LONG)
		trace_add(trace, count_of_age(age), weight);
	count_who(trace, &info, weight);
	sub_relaxed(&live_space, space_of(info.size, weight));
}

void sampler_stats(struct sampler_stats *out)
{
	*out = (struct sampler_stats){
		.nr_samples = load_relaxed(&sampler_counts.nr_samples),
		.nr_dropped = load_relaxed(&sampler_counts.nr_dropped),
		.interval = config.profile_interval,
	};
	if (!sampler_has_tables())
		return;
	out->nr_live = live_nr();
	out->stacks_size = trace_used_size();
}
