/* layer 3.1: slab stack: the two kinds of lists of slabs, by CK and liburcu
 *
 * This file alone knows the two libraries. Each of their calls below says its
 * order as base/atomic.h's do, as what it is on the weakest machine:
 *
 *	ck_stack_push_upmc	a barrier for stores, then the CAS: a release of
 *				all that the pusher wrote. What it only read is
 *				not ordered, and need not be: it pushes or not
 *				by what it read of the slab, and a store that
 *				depends on a load does not overtake it
 *	ck_stack_trypop_mpmc	the loads of head and link, each with a barrier
 *				for loads behind it, then a CAS of head and
 *				generation: an acquire of the push that it met
 *	_cds_lfs_push		a CAS with full barriers
 *	___cds_lfs_pop_all	an exchange with full barriers
 *
 * A look at the top is a plain load: the slab is in nobody's hand. What is
 * read through the pointer (its word, its depth) was written before the push,
 * and a load through a loaded address does not overtake that load. What is
 * not, the bounds of the regions that slab_check_address() compares with, may
 * be older than the push: see there.
 *
 * A generation in the stack counts pops, so that a slab popped and pushed
 * between a popper's look and its CAS makes the CAS fail; the inbox is only
 * taken whole. Both are lock-free; a thread that dies before its CAS leaves
 * the list as it was, behind it has the slab or the chain in its hand.
 */
#ifndef LANE_SLAB_STACK_H
#define LANE_SLAB_STACK_H

#define _LGPL_SOURCE
#include <ck_stack.h>
#include <urcu/lfstack.h>

#include "base/compiler.h"
#include "pageheap/region.h"

/* Many push, many pop. */
struct slab_stack {
	struct ck_stack ck; /* atomic: a double word, aligned to its size */
};

/* Many push, one takes all. */
struct slab_inbox {
	struct __cds_lfs_stack lfs; /* atomic */
};

static force_inline struct span *span_of_link(const void *link)
{
	return link ? container_of((struct span_link *)(uintptr_t)link,
				   struct span, link) :
		      NULL;
}

static force_inline void slab_stack_push(struct slab_stack *stack,
					 struct span *slab)
{
	// [slab.listed] with slab_stack_try_pop(), slab_stack_top() and
	// slab_check_address_again(): the holder's work, the descriptor
	ck_stack_push_upmc(&stack->ck, (void *)&slab->link);
}

/* NULL: empty. */
static force_inline struct span *slab_stack_top(struct slab_stack *stack)
{
	// [slab.listed] with slab_stack_push(): by address, the slab's word
	return span_of_link(ck_pr_load_ptr(&stack->ck.head));
}

/* NULL: empty, or another one was faster. pop would not do: where its CAS of
 * two words fails on old aarch64, what it goes on with may be torn. */
static force_inline struct span *slab_stack_try_pop(struct slab_stack *stack)
{
	struct ck_stack_entry *entry;

	// [slab.listed] with slab_stack_push(): the former holder's work
	if (!ck_stack_trypop_mpmc(&stack->ck, &entry))
		return NULL;
	return span_of_link(entry);
}

static force_inline void slab_inbox_push(struct slab_inbox *inbox,
					 struct span *slab)
{
	cds_lfs_stack_ptr_t stack = { ._s = &inbox->lfs };

	// [slab.sent] with slab_inbox_take(), slab_inbox_top() and
	// slab_check_address_again(): the holder's work, the descriptor
	_cds_lfs_push(stack, (void *)&slab->link);
}

/* NULL: empty. */
static force_inline struct span *slab_inbox_top(struct slab_inbox *inbox)
{
	// [slab.sent] with slab_inbox_push(): by address, the slab's depth
	return span_of_link(CMM_LOAD_SHARED(inbox->lfs.head));
}

/* Takes the chain, held from its first slab on; NULL: empty. */
static force_inline struct span *slab_inbox_take(struct slab_inbox *inbox)
{
	cds_lfs_stack_ptr_t stack = { ._s = &inbox->lfs };

	// [slab.sent] with slab_inbox_push(): the former holders' work
	return span_of_link(___cds_lfs_pop_all(stack));
}

/* Returns the next of a chain in hand; NULL: there are no more. */
static force_inline struct span *slab_chain_next(const struct span *slab)
{
	return span_of_link(slab->link.next);
}

#endif
