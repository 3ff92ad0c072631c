/* layer 4.8: sampler: which allocations are followed, and by which stack;
 * contract in sampler.h */
#include "sample/sampler.h"

#include "base/bits.h"
#include "cpucache/areas.h"
#include "cpucache/rseq.h"
#include "sample/chance.h"
#include "sample/live.h"
#include "sample/peak.h"
#include "sample/probe.h"
#include "sample/site.h"
#include "sample/stack.h"
#include "sample/trace.h"
#include "system/config.h"
#include "system/peek.h"
#include "system/place.h"
#include "system/system.h"

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)
#define WHO_MASK ((1u << LIVE_WHO_BITS) - 1)
#define REGION_MASK ((1u << LIVE_REGION_BITS) - 1)

struct sample_gate sample_gate;
/* own: of those that had a sample; 0: none yet */
static __thread uint32_t own_number;

static _Atomic(uint64_t) memory;      /* atomic: of all tables; set once */
static _Atomic(uint32_t) ready;	      /* atomic: the tables can be used */
static _Atomic(uint64_t) random_next; /* atomic: own, each value is used once */
static _Atomic(uint32_t) nr_threads;  /* atomic: own, each value is used once */

struct sampler_tables sampler_tables;
struct sampler_counts sampler_counts;

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

uint32_t sample_stack_counted(void)
{
	uint32_t stack = sample_stack_keep();

	add_relaxed(&sampler_counts.nr_samples, 1);
	if (!stack)
		add_relaxed(&sampler_counts.nr_dropped, 1);
	return stack;
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
	peak_add(space);
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
	peak_sub(space_of(info.size, weight));
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
