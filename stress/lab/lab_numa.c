/* lab_numa: where the memory of node-bound threads lies
 *
 * A thread on each CPU, bound to its node's CPUs, holds blocks of random sizes
 * and replaces them. Asked of the kernel (move_pages without a target), page by
 * page: which share of the live blocks' memory is on the node of the thread
 * that holds them. Twice:
 *
 *	own	all nodes at once, each its own blocks
 *	after	one node after the other, each after the one before has freed
 *		all: what it left resident is another node's
 *
 * The lab judges (result.py). Where the machine has one node all is local.
 */
#include "storm.h"

#define NODES_MOST 16
#define NR_BLOCKS 2000
#define SIZE_MOST (16 * KIB)
#define PAGE 4096
#define BATCH 512

static unsigned nr_nodes;
static cpu_set_t node_cpus[NODES_MOST];
static _Atomic(uint64_t) nr_pages[NODES_MOST], nr_local[NODES_MOST];
static pthread_barrier_t barrier;

/* "0-3,8" */
static void cpulist_read(const char *text, cpu_set_t *cpus)
{
	unsigned long first, last;
	char *end;

	CPU_ZERO(cpus);
	while (*text >= '0' && *text <= '9') {
		first = last = strtoul(text, &end, 10);
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last; first++)
			CPU_SET(first, cpus);
		text = *end == ',' ? end + 1 : end;
	}
}

static bool node_read(unsigned node)
{
	char path[64], text[4096] = "";
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%u/cpulist", node);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	must(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	cpulist_read(text, &node_cpus[node]);
	return CPU_COUNT(&node_cpus[node]) > 0;
}

static void pages_ask(unsigned node, void **pages, unsigned n)
{
	int status[BATCH];
	unsigned i;

	must(!syscall(SYS_move_pages, 0, (long)n, pages, NULL, status, 0));
	for (i = 0; i < n; i++) {
		if (status[i] < 0)
			continue;
		atomic_fetch_add(&nr_pages[node], 1);
		atomic_fetch_add(&nr_local[node],
				 (unsigned)status[i] == node);
	}
}

static void blocks_ask(unsigned node, const struct block *blocks)
{
	void *pages[BATCH];
	unsigned i, n = 0;
	uintptr_t at;

	for (i = 0; i < NR_BLOCKS; i++)
		for (at = (uintptr_t)blocks[i].at & -(uintptr_t)PAGE;
		     at < (uintptr_t)blocks[i].at + blocks[i].size;
		     at += PAGE) {
			pages[n++] = (void *)at;
			if (n == BATCH) {
				pages_ask(node, pages, n);
				n = 0;
			}
		}
	pages_ask(node, pages, n);
}

static void hold(unsigned node, struct rng *rng)
{
	struct block *blocks = storm_map(NR_BLOCKS * sizeof(*blocks));
	unsigned i, k;

	must(blocks);
	for (i = 0; i < NR_BLOCKS; i++)
		must(block_malloc(&blocks[i], rng_size(rng, SIZE_MOST), node));
	for (i = 0; i < NR_BLOCKS * storm.rounds; i++) {
		k = (unsigned)rng_below(rng, NR_BLOCKS);
		block_free(&blocks[k]);
		must(block_malloc(&blocks[k], rng_size(rng, SIZE_MOST), node));
	}
	blocks_ask(node, blocks);
	for (i = 0; i < NR_BLOCKS; i++)
		block_free(&blocks[i]);
	must(!munmap(blocks, NR_BLOCKS * sizeof(*blocks)));
}

static unsigned node_of(unsigned thread)
{
	return thread % nr_nodes;
}

static void *own(void *arg)
{
	unsigned node = node_of((unsigned)(uintptr_t)arg);
	struct rng rng = rng_make((uintptr_t)arg);

	must(!sched_setaffinity(0, sizeof(cpu_set_t), &node_cpus[node]));
	hold(node, &rng);
	return NULL;
}

static void *after(void *arg)
{
	unsigned node = node_of((unsigned)(uintptr_t)arg), i;
	struct rng rng = rng_make((uintptr_t)arg);

	must(!sched_setaffinity(0, sizeof(cpu_set_t), &node_cpus[node]));
	for (i = 0; i < nr_nodes; i++) {
		if (i == node)
			hold(node, &rng);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void report(const char *load)
{
	uint64_t pages = 0, local = 0;
	unsigned node;

	for (node = 0; node < nr_nodes; node++) {
		printf("lab_numa: %s, node %u: %llu pages, %llu local\n", load,
		       node, (unsigned long long)nr_pages[node],
		       (unsigned long long)nr_local[node]);
		pages += atomic_exchange(&nr_pages[node], 0);
		local += atomic_exchange(&nr_local[node], 0);
	}
	printf("lab_numa: %s local=%.1f%% of %u nodes\n", load,
	       pages ? 100.0 * (double)local / (double)pages : 0, nr_nodes);
}

int main(int argc, char **argv)
{
	storm_start(argc, argv, (unsigned)sysconf(_SC_NPROCESSORS_ONLN), 5);
	while (nr_nodes < NODES_MOST && node_read(nr_nodes))
		nr_nodes++;
	must(nr_nodes);
	must(!pthread_barrier_init(&barrier, NULL, storm.threads));
	storm_parallel(storm.threads, own, 256 * KIB);
	report("own");
	storm_parallel(storm.threads, after, 256 * KIB);
	report("after");
	return storm_done();
}
