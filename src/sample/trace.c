/* layer 4.7: trace: the stacks that allocate; contract in trace.h */
#include "sample/trace.h"

#include "base/bits.h"
#include "sample/levels.h"
#include "sample/site.h"
#include "sample/unwind.h"

#define MIX_STACK UINT64_C(0x9e3779b97f4a7c15)

static _Atomic(uint32_t) *entries;  /* const after start */
static unsigned nr_levels;	    /* const after start */
static uint64_t *words;		    /* const after start */
static uint64_t nr_words;	    /* const after start */
static _Atomic(uint64_t) used;	    /* atomic: words handed out */
static _Atomic(uint32_t) nr_filled; /* atomic: hint, levels that have entries */

/* Number 0 is none: word 0 stays unused. */
void trace_start(void *index, uint64_t nr_entries, void *records, uint64_t nr)
{
	entries = index;
	nr_levels = levels_within(nr_entries);
	words = records;
	nr_words = min_size(nr, UINT32_MAX);
}

struct trace *trace_of(uint32_t number)
{
	return (struct trace *)(void *)(words + number);
}

uint32_t trace_number(const struct trace *trace)
{
	return (uint32_t)((const uint64_t *)(const void *)trace - words);
}

uint64_t trace_used_size(void)
{
	return load_relaxed(&used) * sizeof(*words); // counter
}

/* Takes words of the array; 0: there is no room. */
static uint32_t piece_take(uint32_t size)
{
	uint64_t at = load_relaxed(&used), from; // own: words are nobody's yet

	do {
		from = max_size(at, 1);
		if (size > nr_words || from > nr_words - size)
			return 0;
		// own: the winner alone has these words
	} while (!cas_relaxed(&used, &at, from + size));
	return (uint32_t)from;
}

/* Gives a piece back as zeros, where it is the last. */
static void piece_untake(uint32_t number, uint32_t size)
{
	uint64_t end = (uint64_t)number + size;

	__builtin_memset(words + number, 0, size * sizeof(*words));
	cas_relaxed(&used, &end, number); // own: the last one, and unused
}

/* What is looked for. */
struct wanted {
	uint64_t hash;
	const uint64_t *addresses;
	uint32_t nr;
	bool refused; /* there is no room for its record */
};

/* Every bit of the result hangs on all bits of all addresses. */
static uint64_t stack_hash(const uint64_t *addresses, uint32_t nr)
{
	uint64_t hash = nr;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		hash = (hash ^ addresses[i]) * MIX_STACK;
		hash ^= hash >> 32;
	}
	return bits_scramble(hash);
}

static bool is_wanted(const struct trace *trace, const struct wanted *wanted)
{
	uint32_t i;

	if (trace->hash != wanted->hash || trace->nr != wanted->nr)
		return false;
	for (i = 0; i < wanted->nr; i++)
		if (site_address(trace->sites[i]) != wanted->addresses[i])
			return false;
	return true;
}

/* Finds the addresses' numbers; false: there is no room for one. */
static bool sites_find(uint32_t *sites, const struct wanted *wanted)
{
	uint32_t i;

	for (i = 0; i < wanted->nr; i++) {
		sites[i] = site_intern(wanted->addresses[i]);
		if (!sites[i])
			return false;
	}
	return true;
}

/* Takes words last: what is refused takes none that others would keep it from
 * giving back. */
static uint32_t record_make(const struct wanted *wanted)
{
	size_t size = sizeof(struct trace) + wanted->nr * sizeof(uint32_t);
	uint32_t n = (uint32_t)div_up(size, sizeof(*words));
	uint32_t number, sites[UNWIND_MOST];
	struct trace *trace;

	if (!sites_find(sites, wanted))
		return 0;
	number = piece_take(n);
	if (!number)
		return 0;
	trace = trace_of(number);
	trace->hash = wanted->hash;
	trace->nr = wanted->nr;
	trace->words = n;
	__builtin_memcpy(trace->sites, sites, wanted->nr * sizeof(sites[0]));
	return number;
}

/* Fills the entry where it is free; returns what it holds now. */
static uint32_t entry_fill(_Atomic(uint32_t) *entry, uint32_t made)
{
	uint32_t found = 0;

	// [trace.entry] with entry_fill(), trace_next(): the record
	if (cas_acq_rel(entry, &found, made))
		return made;
	// [trace.entry] with entry_fill(): the record of who came first
	return load_acquire(entry);
}

/* Returns the number at the entry if that is the wanted one; 0: it is
 * another's. *made: a record of the caller's, 0 where it has none yet. */
static uint32_t entry_try(_Atomic(uint32_t) *entry, struct wanted *wanted,
			  uint32_t *made)
{
	// [trace.entry] with entry_fill(): the record
	uint32_t found = load_acquire(entry);

	if (!found) {
		if (!*made)
			*made = record_make(wanted);
		wanted->refused = !*made;
		if (wanted->refused)
			return 0;
		found = entry_fill(entry, *made);
	}
	return is_wanted(trace_of(found), wanted) ? found : 0;
}

/* Entries are filled in this order and stay: behind a free one there is
 * nothing to find. */
static uint32_t index_intern(struct wanted *wanted, uint32_t *made)
{
	unsigned level, i;
	uint32_t found;

	for (level = 0; level < nr_levels; level++) {
		uint32_t at = level_bucket(wanted->hash, level);

		raise_relaxed(&nr_filled, level + 1);
		for (i = 0; i < BUCKET_ENTRIES; i++) {
			found = entry_try(&entries[at + i], wanted, made);
			if (found || wanted->refused)
				return found;
		}
	}
	return 0;
}

uint32_t trace_intern(const uint64_t *addresses, unsigned n)
{
	struct wanted wanted = { .addresses = addresses };
	uint32_t made = 0, found;

	wanted.nr = n < UNWIND_MOST ? n : UNWIND_MOST;
	wanted.hash = stack_hash(addresses, wanted.nr);
	found = index_intern(&wanted, &made);
	if (made && made != found)
		piece_untake(made, trace_of(made)->words);
	return found;
}

struct trace *trace_next(uint32_t *at)
{
	// hint: what comes meanwhile may be missed
	uint32_t end = levels_entries(load_relaxed(&nr_filled)), found;

	while (*at < end) {
		// [trace.entry] with entry_fill(): the record
		found = load_acquire(&entries[(*at)++]);
		if (found)
			return trace_of(found);
	}
	return NULL;
}
