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

/* One of the two sides, whose lowest bit counts. NULL: empty. Of both kinds of
 * slabs waning ones come first. */
void partial_push(struct bin *bin, unsigned side, struct span *slab);
struct span *partial_pop(struct bin *bin, unsigned side);

/* One of a kind, of a side or of the one that is not filled and then of the
 * other. NULL: there is none. */
struct span *partial_pop_of(struct bin *bin, unsigned side, bool waning);
struct span *partial_take(struct bin *bin, bool waning);

/* The side that new slabs go to. */
unsigned fill_side(struct bin *bin);

/* To that side: one that was in no list of the bin yet. */
void partial_add(struct bin *bin, struct span *slab);

/* The slot's slab; NULL: it has none. */
struct span *slot_take(struct bin *bin);

/* The holder lists the slab with its bin, or sends one that was full to its
 * owner's. */
void slab_list(struct bin *bin, struct span *slab);
void slab_send(struct bin *bin, struct span *slab);

/* The first slab of the inbox, whose rest is in partial then; NULL: empty. */
struct span *inbox_take(struct bin *bin);

#endif
