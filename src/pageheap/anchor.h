/* layer 2.2: anchor: what the fast paths load first
 *
 * Constants that heap and rseq store at start-up, and six of the seven words
 * that open and close the fast paths' gate (front/gate.h). The bound of usable
 * tags is one of them, so that free looks at one word alone; whoever makes tags
 * usable raises it here:
 *
 *	grower	nr_committed = n (release)	if end: CAS end to n
 *	opener	end = nr_committed (acquire)	anchor_commit(nr_committed)
 *
 * A grower that finds end 0 leaves it to the opener, who looks once more after
 * its store. An end that is too low, as a thread that dies between the two
 * steps leaves it, is only a hint: frees beyond it take their cold half, until
 * the next growth. Lock-free.
 */
#ifndef LANE_ANCHOR_H
#define LANE_ANCHOR_H

#include "pageheap/region.h"

/* What both fast paths load first; one cache line, const after start but for
 * its two gate words. While they are closed (before start-up, in modes that
 * must look at every call) both are 0 and every call takes the slow path: that
 * is the only test for anything unusual. While the profile is on small_end is
 * 0 alone, as sample_gate's opens in its place. */
struct anchor {
	char *base;		     /* const: region 0's head */
	_Atomic(uint64_t) tags_end;  /* atomic: gate; 16 * usable units */
	_Atomic(uint64_t) small_end; /* atomic: gate; of small sizes */
	uint64_t tags_first;	     /* const: 16 * unit number of base */
	char *tags;		     /* const: tag of unit number 0 */
	int64_t rseq_cs;	     /* const: from the thread pointer */
	int64_t id;		     /* const: from it, the index field */
} __attribute__((aligned(CACHE_LINE)));

extern struct anchor anchor internal;

/* The other pairs of the words: where calls are checked (gate_checked with
 * checks=full or hardened=1, gate_marked with checks=fast) it is one of them
 * that opens, and the anchor's stays closed, so that every call reaches its
 * cold half, which looks closer and then uses the lanes. Of each kind of word
 * at most one is open. */
struct gate_words {
	_Atomic(uint64_t) tags_end;  /* atomic: gate; as the anchor's */
	_Atomic(uint64_t) small_end; /* atomic: gate; as the anchor's */
};
extern struct gate_words gate_checked internal;
extern struct gate_words gate_marked internal;

/* A gate word as the fast paths read it, once a call: a load that compilers,
 * unlike that of an atomic, fold into the compare. Aligned, so it is whole. */
#define gate_read(word) (*(const uint64_t *)(const void *)(word))

/* Return the words of the pair that opens. */
_Atomic(uint64_t) *anchor_tags_end(void);
_Atomic(uint64_t) *anchor_small_end(void);

/* Region 0 is there: what is const of it. */
void anchor_set(const struct region *region);

/* Tells that the tags of region 0's units below nr_units became usable; calls
 * may come out of order. A closed gate stays closed. */
void anchor_commit(uint32_t nr_units);

#endif
