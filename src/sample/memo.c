/* layer 4.6: memo: stacks that were walked before; contract in memo.h */
#include "sample/memo.h"

#include "base/atomic.h"
#include "base/bits.h"

#define NR_ENTRIES 512
#define NR_HINTS 32
#define WORDS_MOST (MEMO_FRAMES + MEMO_POINTERS)
#define MIX UINT64_C(0x9e3779b97f4a7c15)

/* atomic: all, by the version's protocol */
struct entry {
	_Atomic(uint64_t) version;
	_Atomic(uint64_t) number; /* of the stack; 0: none was kept */
	_Atomic(uint64_t) sp, caller;
	_Atomic(uint64_t) fp; /* that the walk began with, where it is used */
	_Atomic(uint64_t) nr; /* of words, and whether fp is used */
	_Atomic(uint64_t) values[WORDS_MOST];  /* nearest first */
	_Atomic(uint64_t) offsets[WORDS_MOST]; /* from sp */
} __attribute__((aligned(CACHE_LINE)));

#define NR_FP_USED 0x10000u

static struct entry entries[NR_ENTRIES];
static _Atomic(uint32_t) hints[NR_HINTS]; /* atomic: hints, offsets */

static _Atomic(uint32_t) *hint_of(uint64_t caller)
{
	return &hints[caller * MIX >> 32 & (NR_HINTS - 1)];
}

static struct entry *entry_of(uint64_t sp, uint64_t word)
{
	return &entries[((sp ^ word * MIX) * MIX >> 32) % NR_ENTRIES];
}

static force_inline uint64_t get(const _Atomic(uint64_t) *word)
{
	return load_relaxed(word); // hint: the version tells
}

static force_inline void set(_Atomic(uint64_t) *word, uint64_t value)
{
	store_relaxed(word, value); // held: the version is odd
}

static force_inline uint64_t word_at(uint64_t at)
{
	uint64_t word;

	__builtin_memcpy(&word, (const void *)at, sizeof(word));
	return word;
}

/* Whether the walk would read the same. What it reads while a writer changes
 * the entry lies between sp and the stack's end all the same. */
static bool entry_fits(const struct entry *entry, const struct frame *frame,
		       const struct memory *memory, uint64_t caller)
{
	uint64_t sp = frame->r[FRAME_SP], last = memory->high - sp - 8, at;
	uint64_t nr = get(&entry->nr), n = nr % NR_FP_USED, i;

	if (get(&entry->sp) != sp || get(&entry->caller) != caller ||
	    n > WORDS_MOST ||
	    (nr >= NR_FP_USED && get(&entry->fp) != frame->r[FRAME_FP]))
		return false;
	for (i = 0; i < n; i++) {
		at = get(&entry->offsets[i]);
		if (unlikely(at > last) ||
		    word_at(sp + at) != get(&entry->values[i]))
			return false;
	}
	return true;
}

uint32_t memo_find(const struct frame *frame, const struct memory *memory,
		   uint64_t caller)
{
	uint64_t sp = frame->r[FRAME_SP], room = memory->high - sp;
	uint64_t hint = load_relaxed(hint_of(caller)); // hint: any word does
	uint64_t version, number;
	const struct entry *entry;

	if (sp - memory->low >= memory->high - memory->low || room < 8 ||
	    hint > room - 8)
		return 0;
	entry = entry_of(sp, word_at(sp + hint));
	// [memo.version] with memo_keep(): the words
	version = load_acquire(&entry->version);
	number = get(&entry->number);
	if (version % 2 || !number || !entry_fits(entry, frame, memory, caller))
		return 0;
	// [memo.words] with memo_keep(): words of a later version
	fence_acquire();
	return get(&entry->version) == version ? (uint32_t)number : 0;
}

/* By who made the version odd. */
static void entry_fill(struct entry *entry, const struct memo_notes *notes,
		       uint64_t caller, uint32_t number)
{
	unsigned i, n = notes->nr;

	for (i = 0; i < n; i++) {
		set(&entry->offsets[i], notes->at[i]);
		set(&entry->values[i], word_at(notes->sp + notes->at[i]));
	}
	for (i = 0; i < notes->nr_fp; i++, n++) {
		set(&entry->offsets[n], notes->fp_at[i]);
		set(&entry->values[n], notes->fps[i]);
	}
	set(&entry->sp, notes->sp);
	set(&entry->fp, notes->fp);
	set(&entry->caller, caller);
	set(&entry->nr, n | (notes->fp_used ? NR_FP_USED : 0));
	set(&entry->number, number);
}

void memo_keep(const struct memo_notes *notes, unsigned own, uint64_t caller,
	       uint32_t number)
{
	struct entry *entry;
	uint64_t version;

	if (!notes->whole || own >= notes->nr || !number)
		return;
	store_relaxed(hint_of(caller), notes->at[own]); // hint
	entry = entry_of(notes->sp, word_at(notes->sp + notes->at[own]));
	version = get(&entry->version);
	if (version % 2 ||
	    // own: the odd version is the right to write
	    !cas_relaxed(&entry->version, &version, version + 1))
		return;
	// [memo.words] with memo_find(): the odd version, then the words
	fence_release();
	entry_fill(entry, notes, caller, number);
	// [memo.version] with memo_find(): the words
	store_release(&entry->version, version + 2);
}
