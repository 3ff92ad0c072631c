/* layer 4.2: mark: a word in each freed object that tells it from a live one
 *
 * With checks=fast or hardened=1 the second word of an object (all have 16
 * bytes at least) holds the magic number of its class while the object is free,
 * all but the low end, where a tag has its owner: free writes it before the
 * object leaves the caller's hands, malloc clears it before it hands the object
 * out. Who frees a block that has the mark is a suspect; only then is it looked
 * for in all lanes (cached.h), and if it is there, it was freed before.
 *
 * The mark is a hint in both directions. A program may copy a freed block into
 * a live one, or have the number by chance: such a block is in no lane, and
 * its free goes on. A free object has no mark where it was never used, where
 * the gate was closed when it was freed, or where the program wrote to it
 * since.
 *
 * Interleavings: the word belongs to who holds the object, so nobody races for
 * it but a program that frees twice at once, of which both may get past. A
 * handler between mark and push frees and allocates other objects. A push that
 * fails leaves the mark set, so that what follows must not look at it again. A
 * thread that dies between the two loses the object in its hand, as it does in
 * the push. Wait-free.
 */
#ifndef LANE_MARK_H
#define LANE_MARK_H

#include "pageheap/region.h"

/* What the program keeps in a block has any type. */
typedef uint64_t __attribute__((may_alias)) mark_word;

static force_inline bool mark_is_set(const void *object, uint64_t magic)
{
	return !((((const mark_word *)object)[1] ^ magic) & ~TAG_OWNER_MASK);
}

static force_inline void mark_set(void *object, uint64_t magic)
{
	((mark_word *)object)[1] = magic;
}

static force_inline void mark_clear(void *object)
{
	((mark_word *)object)[1] = 0;
}

#endif
