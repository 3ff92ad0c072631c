/* layer 4.8: sampler: which allocations are followed, and by which stack
 *
 * While the profile is on the bytes that are asked for on each CPU are counted
 * down from a distance drawn by chance (chance.h). The allocation that passes
 * zero is sampled: its stack is kept (unwind.h, trace.h), and its block
 * followed until it is freed (live.h). What the fast path does with that is in
 * front/fast.h; while the profile is off the count is not touched.
 *
 *	off --sampler_start()--> on --sampler_stop()--> off
 *
 * Each of its users has a bit, so that nobody ends what another wants.
 *
 * The tables are made by the first start, once, and stay: sampled blocks keep
 * their stack while the profile is off, their frees are seen, and a later start
 * goes on with the sums. Racing starts: one CAS decides whose memory it is; all
 * store the same addresses. A child of a fork has a copy of them all: it goes
 * on with its parent's profile, as it does with its parent's blocks.
 *
 * The count is a word of the CPU's lane area (percpu.h):
 *
 *	a lane serves it	count -= size, in the section; below zero: the
 *				section gives nothing, and we look
 *	we look			none: drawn; count >= size: count -= size; else
 *				a CAS of what was seen to a distance drawn anew,
 *				and who wins that samples
 *
 * So of threads that find it used up on one CPU each CAS makes one sample, and
 * where every block is wanted (a distance of 0 each time) each gets its own. A
 * section is alone on its CPU, but a thread that looks may have been moved away
 * from it: then it counts at another's, and may undo what that one counts at
 * the same instant, some bytes, or one distance of billions that is drawn
 * twice. As a distance may be drawn anew at any time, be kept while the profile
 * is off or lie in the area that a drain put aside, that makes no bias. Blocks
 * of no bytes are not sampled. A thread that dies anywhere strands the block in
 * its hand and leaves the sums without it, or with a block that nobody frees.
 *
 * Everything is wait-free but for the CAS of two bounds (trace.h) and of the
 * count, which are lock-free, and the kernel's part in the first start; all
 * works in signal handlers, and nothing here allocates, or touches errno.
 */
#ifndef LANE_SAMPLER_H
#define LANE_SAMPLER_H

#include "base/atomic.h"
#include "base/compiler.h"

/* What every call that allocates looks at, where the fast path is closed. */
struct sample_gate {
	_Atomic(uint64_t) small_end; /* atomic: gate; as the anchor's */
	_Atomic(uint32_t) on;	     /* atomic: hint; enum sample_user */
} __attribute__((aligned(CACHE_LINE)));
extern struct sample_gate sample_gate internal;

/* What blocks are sampled for, in bits: the profile as the program has it,
 * guarded blocks, the profile as somebody outside and as a tracer have it. */
enum sample_user {
	SAMPLE_NOBODY,
	SAMPLE_PROFILE = 1,
	SAMPLE_GUARD = 2,
	SAMPLE_OUTSIDE = 4,
	SAMPLE_TRACER = 8
};
#define SAMPLE_FOLLOWED (SAMPLE_PROFILE | SAMPLE_OUTSIDE | SAMPLE_TRACER)

/* Where the tables are, for a reader from outside (lanemalloc_view.h); zeros
 * before the first start. Racing threads store the same. */
struct sampler_tables {
	void *sites; /* const after start */
	uint64_t nr_sites;
	void *index; /* const after start */
	uint64_t nr_index;
	void *records; /* const after start */
	uint64_t nr_words;
	void *keys; /* const after start */
	uint64_t nr_keys;
};
extern struct sampler_tables sampler_tables internal;

struct sampler_counts {
	_Atomic(uint64_t) nr_samples; /* atomic: counter */
	_Atomic(uint64_t) nr_dropped; /* atomic: counter */
};
extern struct sampler_counts sampler_counts internal;

static force_inline bool sample_is_on(void)
{
	return unlikely(load_relaxed(&sample_gate.on));
}

static force_inline bool sample_is_wanted(enum sample_user user)
{
	return load_relaxed(&sample_gate.on) & user;
}

/* For the profile: sampled blocks are followed. */
static force_inline bool sample_is_followed(void)
{
	return load_relaxed(&sample_gate.on) & SAMPLE_FOLLOWED;
}

/* Whether an allocation of that size is none of the sampled ones; it counts
 * once it has succeeded, by sample_pass(). */
bool sample_fits(size_t size);
void sample_pass(size_t size);

/* The slab of the object that would have been given in place of a sampled one:
 * its life (slab.h) in which region. class 0: it is in none. */
struct sample_slab {
	uint64_t life;
	uint16_t region;
	uint8_t size_class;
};

/* Counts an allocation; whether it is to be sampled. Only while it is on. */
bool sample_count(size_t size);

/* Keeps the stack of the calling function's callers, as sample_stack_keep()
 * (stack.h), and counts it as a sample's. */
uint32_t sample_stack_counted(void);

/* Follows the block that was allocated for the sample, and where it would lie;
 * grown: a realloc will move another one there. */
void sample_add(const void *block, size_t size, uint32_t stack,
		const struct sample_slab *slab, bool grown);

/* Ends that, as the block is about to be freed; nothing where it is none. */
void sample_remove(const void *block);

/* False: no memory for the tables. */
bool sampler_start(enum sample_user user);
void sampler_stop(enum sample_user user);

/* Whether there are tables to be read (trace.h, site.h). */
bool sampler_has_tables(void);

struct sampler_stats {
	uint64_t nr_samples;  /* taken since the first start */
	uint64_t nr_dropped;  /* of these, for which there was no room */
	uint64_t nr_live;     /* blocks that are followed now */
	uint64_t interval;    /* bytes between two samples */
	uint64_t stacks_size; /* bytes of stacks */
};
void sampler_stats(struct sampler_stats *out);

#endif
