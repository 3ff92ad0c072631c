/* layer 2.5: limit: how much memory the heap may have, and who wants some back
 *
 * What counts is units of the page heap that may have memory behind them: all
 * of the runs that were taken (blocks, slabs with all that lies free or cached
 * in them) and what is free and dirty. Each counts with what is kept about it
 * (LIMIT_UNIT_SIZE). Not counted is what is no unit: lanes and bins, a few KiB
 * an id; regions' heads, level words and free indices, the words of
 * hugepage_node.h, and the arrays' pages of units that an earlier peak had; the
 * profile's tables, which have an option of their own; the quarantine's rings,
 * the shared one and those of each id; the records of guarded blocks, the page
 * of who.h; the helper's stack; buffers for the time of one call (files of
 * statistics and profiles, their detail, a fault's report); what a program maps
 * by itself. A run counts whole, touched or not, so the sum is never below what
 * is resident of it. account.h has it in one word.
 *
 * The hard limit is a promise: who takes a run adds what is not resident of it
 * by a CAS that fails where the sum would be beyond (budget_try_taken()), and
 * only then touches it. So the sum never passes the limit, whoever takes at
 * once, and a thread that dies strands what it added, a run. Before a take
 * fails, all free dirty memory goes back. Before malloc fails, the quarantine
 * is flushed, and what the caches of CPUs and slabs hold goes back where that
 * can make a run of such a length (alloc_collect() in front/alloc.c).
 *
 * The soft limit is a wish: beyond it the budget is next to nothing, CPUs'
 * caches stay small, and a take that passes it asks for all that can be given
 * back (limit_ask()). There are two, the program's and its cgroup's, of which
 * the smaller counts.
 *
 * A limit may be set below what is in use: then the heap does not grow, and
 * takes only what is resident already, until enough was freed. A take that has
 * read the limit and not added yet counts as one from before.
 *
 *	asked	NONE -> reason	limit_ask(): a CAS, so the first reason stays
 *		reason -> NONE	who serves it (front/relief.h): an exchange
 *
 * Words are single, so that any thread and handler sets them. Wait-free.
 */
#ifndef LANE_LIMIT_H
#define LANE_LIMIT_H

#include "pageheap/region.h"

/* A unit with its tag, span and bits. */
#define LIMIT_UNIT_SIZE                                              \
	(UNIT_SIZE + sizeof(struct unit_tag) + sizeof(struct span) + \
	 UNIT_BITS_WORDS * sizeof(uint64_t))
#define LIMIT_NO_UNITS UINT32_MAX

/* Why all that can be given back is; in the order of the statistic's help. */
enum limit_reason {
	LIMIT_NONE,
	LIMIT_SOFT,	/* a take passed the soft limit, or it was lowered */
	LIMIT_HARD,	/* the hard limit was lowered below what is in use */
	LIMIT_CGROUP,	/* the cgroup's memory was high, or at its most */
	LIMIT_PRESSURE, /* the service manager's file says so */
};

struct limit {
	_Atomic(uint64_t) soft_size;   /* atomic: the program's; 0: none */
	_Atomic(uint64_t) cgroup_size; /* atomic: its cgroup's; 0: none */
	_Atomic(uint64_t) hard_size;   /* atomic: 0: none */
	_Atomic(uint32_t) asked;       /* atomic: hint, enum limit_reason */
	_Atomic(uint32_t) last;	       /* hint: what was served last */
	_Atomic(uint64_t) nr_hits;     /* counter: takes that found no room */
	_Atomic(uint64_t) nr_served;   /* counter */
} __attribute__((aligned(CACHE_LINE)));

extern struct limit limit internal;

/* Says how many units a size stands for; a size of 0 is no limit. */
static force_inline uint32_t limit_units(uint64_t size)
{
	if (likely(!size))
		return LIMIT_NO_UNITS;
	return (uint32_t)min_size(max_size(size / LIMIT_UNIT_SIZE, 1),
				  LIMIT_NO_UNITS - 1);
}

static force_inline uint32_t limit_hard_units(void)
{
	return limit_units(load_relaxed(&limit.hard_size)); // own: one word
}

/* Returns the smaller of both; 0: there is none. */
uint64_t limit_soft_size(void);

static force_inline uint32_t limit_soft_units(void)
{
	return limit_units(limit_soft_size());
}

/* Notes a growth from so many units to so many, which may pass the soft
 * limit. */
void limit_note_growth(uint32_t before, uint32_t after);

/* Notes that the hard limit is in the way of a take. */
void limit_note_hit(void);

/* Asks that all that can be given back is, soon. */
void limit_ask(enum limit_reason reason);

static force_inline bool limit_is_asked(void)
{
	return load_relaxed(&limit.asked);
}

/* Takes what was asked for, to be served by the caller alone; LIMIT_NONE:
 * nothing was. */
enum limit_reason limit_take_asked(void);

#endif
