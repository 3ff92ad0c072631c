/* layer 1.6: nodes: which memory node a CPU belongs to; contract in nodes.h */
#include "system/nodes.h"

#include "base/bits.h"
#include "system/config.h"
#include "system/cpus.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"

#define NODE_FOLDER "/sys/devices/system/node/"
#define NODE_NUMBERS 1024 /* the most that Linux builds for */
#define LIST_SIZE 4096

_Atomic(uint32_t) nodes_used;

/* atomic: hint; the node's number and 1, 0: not known */
static _Atomic(uint8_t) table[NODE_CPUS_MOST];
static _Atomic(uint64_t) with_memory; /* atomic: hint; of nodes below 64 */

/* Reads the next range of what the kernel writes as "0-3,8"; NULL: no more. */
static const char *list_number(const char *at, unsigned *number)
{
	for (*number = 0; *at >= '0' && *at <= '9'; at++)
		*number = (unsigned)min_size(
			*number * 10ul + (unsigned)(*at - '0'), UINT16_MAX);
	return at;
}

static const char *list_next(const char *at, unsigned *first, unsigned *last)
{
	if (*at < '0' || *at > '9')
		return NULL;
	at = list_number(at, first);
	*last = *first;
	if (*at == '-')
		at = list_number(at + 1, last);
	return *at == ',' ? at + 1 : at;
}

static bool list_read(const char *path, char text[LIST_SIZE])
{
	long size = system_read_file(path, text, LIST_SIZE - 1);

	if (size <= 0)
		return false;
	text[size] = '\0';
	return true;
}

static void cpu_is_of(unsigned cpu, unsigned node)
{
	if (cpu < NODE_CPUS_MOST)
		// hint
		store_relaxed(&table[cpu], (uint8_t)(node % NODES_MOST + 1));
}

/* Reads the CPUs of a node that has memory; 1 where it has any. */
static unsigned node_read(unsigned node)
{
	char path[64], text[LIST_SIZE];
	unsigned cpu, last, any = 0;
	const char *at = text;

	report_format(path, sizeof(path), NODE_FOLDER "node%u/cpulist", node);
	if (!list_read(path, text))
		return 0;
	while ((at = list_next(at, &cpu, &last))) {
		any = 1;
		for (; cpu <= last && cpu < NODE_CPUS_MOST; cpu++)
			cpu_is_of(cpu, node);
	}
	return any;
}

/* Counts the nodes that have memory; *mask: which, of those below 64. */
static unsigned nodes_with_memory(const char *at, uint64_t *mask)
{
	unsigned node, last, nr = 0;

	*mask = 0;
	while ((at = list_next(at, &node, &last))) {
		for (; node <= last && node < NODE_NUMBERS; node++, nr++)
			*mask |= node < WORD_BITS ? bits_one(node) : 0;
	}
	return nr;
}

static unsigned nodes_with_cpus(const char *at)
{
	unsigned node, last, nr = 0;

	while ((at = list_next(at, &node, &last))) {
		for (; node <= last && node < NODE_NUMBERS; node++)
			nr += node_read(node);
	}
	return nr;
}

unsigned nodes_read(void)
{
	char text[LIST_SIZE];
	uint64_t mask;

	if (config.numa == NUMA_OFF ||
	    !list_read(NODE_FOLDER "has_memory", text) ||
	    nodes_with_memory(text, &mask) < 2)
		return 1;
	store_relaxed(&with_memory, mask); // hint
	if (config.numa == NUMA_INTERLEAVE)
		return 1;
	return (unsigned)max_size(nodes_with_cpus(text), 1);
}

void nodes_use(bool used)
{
	store_relaxed(&nodes_used, used); // hint
}

unsigned node_of_cpu(unsigned cpu)
{
	unsigned node = 0;

	if (cpu < NODE_CPUS_MOST)
		node = load_relaxed(&table[cpu]); // hint
	return node ? node - 1 : NODE_ANY;
}

void node_learn(unsigned cpu, uint32_t node)
{
	if (node < NODE_NUMBERS && node_of_cpu(cpu) == NODE_ANY)
		cpu_is_of(cpu, node);
}

void nodes_interleave(void *addr, size_t size)
{
	uint64_t mask = load_relaxed(&with_memory); // hint

	if (likely(config.numa != NUMA_INTERLEAVE) || !mask ||
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	system_interleave(addr, size, mask);
	sandbox_rare_done();
}
