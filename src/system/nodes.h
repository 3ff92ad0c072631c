/* layer 1.6: nodes: which memory node a CPU belongs to
 *
 * Where memory has several nodes, each is near to some CPUs and far from all
 * others. By numa=auto whoever places memory asks here for the node of an id;
 * the answer is NODE_ANY, after one look at one word, where there is one node,
 * where ids are no CPU numbers (mm_cid, the direct mode), with another numa=
 * and for a CPU of which nothing is known.
 *
 * Nodes count that have memory and CPUs, as /sys says at start. They are
 * numbered modulo NODES_MOST: where there are more, some share a number, which
 * costs their distance and nothing else. A CPU that was off then is learnt when
 * its id first needs lanes, from what the kernel writes beside the CPU number
 * (Linux 6.3).
 *
 *	nothing read --nodes_read()--> table --nodes_use(true)--> in use
 *
 * Racing threads store the same. All of it is hints: a wrong node costs
 * distance. A thread that dies in here leaves some CPUs without a node, until
 * another one's start reads them or for good, which are served as before.
 * Wait-free.
 */
#ifndef LANE_NODES_H
#define LANE_NODES_H

#include "base/atomic.h"
#include "base/compiler.h"

#define NODES_MOST 15
#define NODE_ANY NODES_MOST
#define NODE_CPUS_MOST 8192

/* atomic: hint; whether ids have nodes */
extern _Atomic(uint32_t) nodes_used internal;

/* Reads what the kernel tells, as the option numa= wants it. How many nodes
 * there are to tell apart, 1 where it is not known. */
unsigned nodes_read(void);

/* Makes ids CPUs of several nodes from now on, or not. */
void nodes_use(bool used);

/* Returns a CPU's node, once nodes are used; NODE_ANY: not known. */
unsigned node_of_cpu(unsigned cpu);

/* Learns the node, as the kernel counts, of a CPU of which nothing is known. */
void node_learn(unsigned cpu, uint32_t node);

/* Lays the range's pages on all nodes in turn, with numa=interleave. */
void nodes_interleave(void *addr, size_t size);

static force_inline unsigned node_of_id(unsigned id)
{
	if (likely(!load_relaxed(&nodes_used))) // hint
		return NODE_ANY;
	return node_of_cpu(id);
}

/* Whether what is near to the one is far from the other. */
static force_inline bool nodes_differ(unsigned a, unsigned b)
{
	return a != b && a != NODE_ANY && b != NODE_ANY;
}

#endif
