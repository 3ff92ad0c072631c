/* layer 4.6: rules: how to leave a function from an address; contract in
 * rules.h */
#include "sample/rules.h"

#define NR_ENTRIES 1024
#define COMMON_HEAD 16 /* bytes: all that common parts differ in */
#define ENTRY_MOST 512 /* bytes of a description whose rules are kept */
#define MIX UINT64_C(0x9e3779b97f4a7c15)

_Atomic(uint64_t) rules_lasting[1 << (64 - RULES_LASTING_SHIFT)][2];
static _Atomic(uint64_t) entries[NR_ENTRIES][2]; /* atomic: see rules.h */

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * MIX;
	return sum ^ sum >> 29;
}

static uint64_t mix_bytes(uint64_t sum, const unsigned char *at, size_t size)
{
	uint64_t word;
	uint32_t half;

	for (; size >= 8; size -= 8, at += 8) {
		__builtin_memcpy(&word, at, 8);
		sum = mix(sum, word);
	}
	if (size >= 4) {
		__builtin_memcpy(&half, at, 4);
		sum = mix(sum, half);
		size -= 4;
		at += 4;
	}
	word = size;
	while (size)
		word = word << 8 | at[--size];
	return mix(sum, word);
}

/* Both parts begin with their length; the second word of a description says how
 * far before it the common part lies, which is longer than its head. */
uint64_t rules_key(uint64_t pc, const unsigned char *entry)
{
	uint32_t length, back;
	uint64_t key;

	__builtin_memcpy(&length, entry, 4);
	__builtin_memcpy(&back, entry + 4, 4);
	if (length < 8 || length > ENTRY_MOST)
		return 0;
	key = mix_bytes(mix(pc, (uintptr_t)entry), entry, 4 + length);
	key = mix_bytes(key, entry + 4 - back, COMMON_HEAD);
	return key | 1;
}

static _Atomic(uint64_t) *entry_of(uint64_t key)
{
	return entries[(key >> 32) % NR_ENTRIES];
}

uint64_t rules_find(uint64_t key)
{
	_Atomic(uint64_t) *entry = entry_of(key);
	uint64_t rule = load_relaxed(&entry[1]); // hint: the key tells

	if (!key || (load_relaxed(&entry[0]) ^ rule) != key) // hint
		return RULES_NONE;
	return rule;
}

void rules_keep(uint64_t key, uint64_t rule)
{
	_Atomic(uint64_t) *entry = entry_of(key);

	if (!key)
		return;
	store_relaxed(&entry[0], key ^ rule); // hint
	store_relaxed(&entry[1], rule);	      // hint
}

void rules_keep_lasting(uint64_t pc, uint64_t rule)
{
	uint64_t key = rules_lasting_key(pc);
	_Atomic(uint64_t) *entry = rules_lasting[key >> RULES_LASTING_SHIFT];

	store_relaxed(&entry[0], key ^ rule); // hint
	store_relaxed(&entry[1], rule);	      // hint
}
