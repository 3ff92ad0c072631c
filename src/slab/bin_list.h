/* layer 3.3: bin list: slot, stacks and inbox of one bin, a slab at a time
 *
 * What the lists are for is said in bin.h, how they are made in slab_stack.h.
 * Whoever puts a slab in holds it before, whoever gets one out holds it then,
 * and has checked where it points, and no more. nr_listed and fresh are hints.
 * Lock-free. A thread that dies here strands the slab or the chain in its hand.
 */
#ifndef LANE_BIN_LIST_H
#define LANE_BIN_LIST_H

#include "slab/bin_set.h"

/* Pushes a slab to one of the two sides, or pops one, waning ones first; of
 * `side` the lowest bit counts. NULL: the side is empty. */
void partial_push(struct bin *bin, unsigned side, struct span *slab);
struct span *partial_pop(struct bin *bin, unsigned side);

/* Pops a slab of a kind, of one side, or of the side that is not filled and
 * then of the other. NULL: there is none. */
struct span *partial_pop_of(struct bin *bin, unsigned side, bool waning);
struct span *partial_take(struct bin *bin, bool waning);

/* Returns the side that new slabs go to. */
unsigned fill_side(struct bin *bin);

/* Pushes a slab to that side that was in no list of the bin yet. */
void partial_add(struct bin *bin, struct span *slab);

/* Takes the slot's slab; NULL: it has none. */
struct span *slot_take(struct bin *bin);

/* The holder lists the slab with its bin, or sends one that was full to its
 * owner's. */
void slab_list(struct bin *bin, struct span *slab);
void slab_send(struct bin *bin, struct span *slab);

/* Takes the inbox whole: returns its first slab, and pushes the rest to
 * partial; NULL: it is empty. */
struct span *inbox_take(struct bin *bin);

#endif
