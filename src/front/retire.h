/* layer 5.3: retire: what a freed block goes through
 *
 * What block.h found to be the program's own block goes on at once (give.h);
 * with checks=full and hardened=1 into the quarantine first, filled or zeroed,
 * and what comes out of there goes on, once it is seen that nobody wrote to it:
 *
 *	freed --fill, zero--> quarantine --look--> lane, slab, page heap
 *
 * Small objects wait in their CPU's ring (ring.h), where the gate is open, all
 * else in the quarantine that CPUs share. What a ring drives out is in the
 * hands of who put another there: it is looked at and pushed to a lane without
 * another's help, and of two CPUs none has the same block in hands, as its
 * footer let one of two frees in.
 *
 * Where both options are given, blocks are filled, not zeroed: checks=full
 * looks at more, and all that hardened=1 has beside it stays. Of two that free
 * one run at once, with either, one gets its footer; for the other it is a
 * fault().
 *
 * Lock-free; a thread that dies here loses the block in its hands, those that
 * it took out of the quarantine, or the batch that it flushes. May run in
 * handlers; none of it waits or allocates.
 */
#ifndef LANE_RETIRE_H
#define LANE_RETIRE_H

#include "front/footer.h"
#include "front/give.h"
#include "slab/page_map.h"

/* Frees an object or a run that was found live. REMOTE_LANE: it and
 * whatever came out of the quarantine for it are in lanes, so that no time has
 * passed to speak of. */
enum remote_free retire_block(void *pointer, const struct block *block);

/* Retires with checks=full an object that lies in a lane's slab, by a call of
 * that form, as retire_block() does. False: something is amiss, and nothing is
 * done. */
bool filled_try_retire(void *pointer, const struct block *block,
		       enum block_form form, enum remote_free *where);

/* With hardened=1, of objects by their address: of one that is wiped, where no
 * ring took it; of one that came out of a ring, where no lane took that, or it
 * was written to since, which is a fault(). */
enum remote_free retire_wiped(void *pointer);
enum remote_free retire_waited(void *pointer);

/* All that waits in the quarantine is freed: memory is short, or the mode
 * changes. By threads of the program's. */
void heap_quarantine_flush(void);

#endif
