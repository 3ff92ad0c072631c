/* layer 5.1: canary: the word that ends a block, and the bytes before it
 *
 * The last eight bytes of a block that has a footer (footer.h) hold the size
 * asked for and the form of the call that asked, mixed with the block's address
 * and with where this process has its tables. Here is how that word is made,
 * and for the fast paths of hardened=1 the whole of its setting and its test,
 * without a branch: the slack, up to sixteen bytes behind the size asked for,
 * is written and read as two words that may overlap and end before the canary,
 * of which only the bytes that are slack count.
 *
 * All of it in the hands of who holds the block. A thread that dies here loses
 * it. Wait-free.
 */
#ifndef LANE_CANARY_H
#define LANE_CANARY_H

#include "slab/page_map.h"

#define CANARY_SIZE sizeof(uint64_t)
#define CANARY_MIX UINT64_C(0x9e3779b97f4a7c15)
#define CANARY_SIZE_BITS 40
#define CANARY_FORM_BITS 3
#define SLACK_BYTE 0xa9
#define SLACK_WORD (ALL_ONES / 0xff * SLACK_BYTE)
#define SLACK_HARDENED (2 * sizeof(uint64_t))

/* The calls that make blocks, of which each has one that frees: those of C,
 * and the operators of C++. */
enum block_form {
	FORM_ANY, /* not known */
	FORM_C,
	FORM_NEW,
	FORM_NEW_ALIGNED,
	FORM_ARRAY,
	FORM_ARRAY_ALIGNED,
	NR_FORMS
};

/* Every bit of it follows from all bits of the sum above it: of a product
 * alone the low ones are the address's zeros. */
static force_inline uint64_t canary_key(const void *pointer)
{
	uint64_t secret = (uintptr_t)regions[0].bits >> 4;
	uint64_t key = ((uintptr_t)pointer + secret) * CANARY_MIX;

	key ^= key >> 32;
	return key * CANARY_MIX ^ key >> 32;
}

/* The size twice, as far as there are bits: what was written over the low end
 * alone is no size, either. A freed block's is the complement. */
static force_inline uint64_t canary_of(size_t size, enum block_form form)
{
	return size | (uint64_t)form << CANARY_SIZE_BITS |
	       (uint64_t)size << (CANARY_SIZE_BITS + CANARY_FORM_BITS);
}

/* An object's two words of slack; bits of `mask` are slack. */
struct canary_slack {
	char *first, *second;
	uint64_t mask;
};

static force_inline struct canary_slack canary_slack(char *object, size_t size,
						     size_t asked)
{
	char *last = object + size - CANARY_SIZE - sizeof(uint64_t);
	char *first = object + asked, *second = first + sizeof(uint64_t);
	size_t room = size - CANARY_SIZE - asked;
	/* Of a room of eight bytes and more a shift by 64, in two steps. */
	unsigned half = 4 * (unsigned)min_size(room, sizeof(uint64_t));

	return (struct canary_slack){
		.first = first < last ? first : last,
		.second = second < last ? second : last,
		.mask = ~(ALL_ONES >> half >> half),
	};
}

static force_inline void canary_store(char *at, uint64_t word)
{
	__builtin_memcpy(at, &word, sizeof(word));
}

static force_inline uint64_t canary_load(const char *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

/* Makes an object of `size` bytes a block of so many. With less than a word of
 * slack, bytes before it become the slack's, too: nobody has written there. */
static force_inline void canary_set(char *object, size_t size, size_t asked)
{
	struct canary_slack slack = canary_slack(object, size, asked);

	canary_store(slack.first, SLACK_WORD);
	canary_store(slack.second, SLACK_WORD);
	canary_store(object + size - CANARY_SIZE,
		     canary_of(asked, FORM_C) ^ canary_key(object));
}

/* Whether the object is a live block with nothing written behind it, and finds
 * its size; false: another has to look closer. */
static force_inline bool canary_holds(char *object, size_t size, size_t *asked)
{
	uint64_t word = canary_load(object + size - CANARY_SIZE) ^
			canary_key(object);
	struct canary_slack slack;
	uint64_t other;

	*asked = word & bits_low(CANARY_SIZE_BITS);
	if (unlikely(word != canary_of(*asked, FORM_C)) ||
	    unlikely(*asked > size - CANARY_SIZE))
		return false;
	slack = canary_slack(object, size, *asked);
	other = canary_load(slack.first) ^ SLACK_WORD;
	other |= canary_load(slack.second) ^ SLACK_WORD;
	return likely(!(other & slack.mask));
}

#endif
