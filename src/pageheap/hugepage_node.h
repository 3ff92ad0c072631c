/* layer 2.2: hugepage node: on which memory node a hugepage's units are
 *
 * The kernel puts a page on the node of the CPU that touches it first, and
 * there it stays until it is purged. So where memory has several nodes a
 * hugepage belongs to one: whose CPU first took of it when it was free as a
 * whole. All that is taken of it later goes to CPUs of that node, but for what
 * is taken while memory is short; what is free as a whole and clean is
 * anybody's.
 *
 *	nobody's --opened, or claimed whole, by a CPU of n--> n's
 *	n's, free as a whole and clean --the same by one of m--> m's
 *
 * Bit i of the four words over 64 hugepages is, read as one number, the node
 * of hugepage i and 1, or 0 for nobody's. Written by who holds the hugepage, or
 * has just claimed a part of it; read by everybody. All of it is a hint: two
 * who write at once, or one who dies in between, leave a hugepage with another
 * owner, or with none, which then serves who is far, or nobody before it is
 * purged or memory is short.
 *
 * A region's words are mapped when the first hugepage is assigned; of racing
 * threads one wins, the others give theirs back. One that dies there strands
 * what it mapped, at most 256 KiB of addresses. Without memory for them all
 * hugepages stay nobody's.
 *
 * With one node (NODE_ANY) nothing is read or written. Wait-free.
 */
#ifndef LANE_HUGEPAGE_NODE_H
#define LANE_HUGEPAGE_NODE_H

#include "pageheap/region.h"
#include "system/nodes.h"

#define NODE_WORDS 4
_Static_assert(NODES_MOST < 1 << NODE_WORDS, "a node and 1 are a number");

/* Which of a parent's hugepages have that number. */
uint64_t node_hugepages_slow(const struct region *region, uint32_t parent,
			     unsigned number);

/* Which of a parent's hugepages a CPU of the node takes units of. */
static force_inline uint64_t node_hugepages(const struct region *region,
					    uint32_t parent, unsigned node)
{
	if (likely(node == NODE_ANY))
		return ALL_ONES;
	return node_hugepages_slow(region, parent, node + 1);
}

static force_inline bool node_has(const struct region *region,
				  uint32_t hugepage, unsigned node)
{
	return node_hugepages(region, hugepage / WORD_BITS, node) &
	       bits_one(hugepage % WORD_BITS);
}

/* The hugepages that units [unit, unit + n) lie in become the node's. */
void node_assign(struct region *region, uint32_t unit, uint32_t n,
		 unsigned node);

/* Those of them alone that are nobody's become the node's. */
void node_assign_new(struct region *region, uint32_t unit, uint32_t n,
		     unsigned node);

/* The node that a hugepage belongs to; NODE_ANY: nobody's. */
unsigned node_of_hugepage(const struct region *region, uint32_t hugepage);

#endif
