/* growth: the same calls with more CPUs at work, or in a larger heap
 *
 *	--load crowd --ids N	as N threads that all run at once
 *	--load heap --mib N	a heap of blocks of 16 bytes to 48 KiB
 *	--load large --mib N	a heap of blocks of 256 KiB to 3 MiB
 *
 * growth.py runs it under callgrind, which counts what happens in
 * counted_take() and counted_give(). No kernel aborts a section there, and none
 * has to: one thread does it all and says itself on which CPU it is. For that
 * it defines what libc tells of its rseq area, before anybody asks: the area
 * that the malloc finds is the program's own, of which the kernel knows
 * nothing. A malloc that asks for none is counted as it is. The helper must be
 * off (reclaimer=off): on a thread of its own it would be on CPU 0, too.
 *
 * crowd: each id holds blocks, puts others in the place of some and gives every
 * eighth to the next id, which frees it. Ids take turns, so each begins with
 * what the others left in the caches. heap, large: one id replaces blocks of a
 * heap at random. Nobody touches the blocks, so that large heaps fit; what is
 * counted is the malloc's own.
 */
#include "figure.h"

#include <stddef.h>

#define HELD 256	  /* blocks of an id */
#define CROWD_CALLS 2000  /* pairs of an id, in turns of TURN */
#define TURN 250
#define HEAP_CALLS 20000  /* pairs */
#define IDS_MOST 512
#define MIB_MOST 65536

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, end;
} __attribute__((aligned(32)));

static __thread struct area area;
static uint32_t nr_ids = 1, nr_mib = 1;
static const char *load = "crowd";
static uint64_t state = 1; /* of the random numbers */
static bool counts;

/* As glibc has them; the executable's come before libc's. */
extern ptrdiff_t __rseq_offset;
extern unsigned int __rseq_size;
ptrdiff_t __rseq_offset;
unsigned int __rseq_size;

static void area_tell(void)
{
	__rseq_offset = (char *)&area - (char *)__builtin_thread_pointer();
	__rseq_size = sizeof(area);
}

/* Runs before any library is made ready. */
__attribute__((section(".preinit_array"), used)) static void (*const tell)(
	void) = area_tell;

static void be_id(uint32_t id)
{
	*(volatile uint32_t *)&area.cpu_id = id;
	*(volatile uint32_t *)&area.mm_cid = id;
}

static __attribute__((noinline)) void *counted_take(size_t size)
{
	void *block = malloc(size);

	__asm__ volatile("" : "+r"(block)); /* no tail call */
	return block;
}

static __attribute__((noinline)) void counted_give(void *block)
{
	free(block);
	__asm__ volatile("");
}

static void *take(size_t size)
{
	void *block = counts ? counted_take(size) : malloc(size);

	if (!block)
		figure_die("no memory");
	return block;
}

static void give(void *block)
{
	if (counts)
		counted_give(block);
	else
		free(block);
}

static size_t below(size_t n)
{
	return (size_t)(random_next(&state) >> 32) * n >> 32;
}

/* From 2^shift on, as many of each power of two. */
static size_t any_size(unsigned shift, unsigned nr_shifts)
{
	size_t size = (size_t)1 << (shift + below(nr_shifts));

	return size + below(size / 2);
}

static size_t crowd_size(void)
{
	return any_size(4, 7);
}

static void crowd_turn(uint32_t id, void **held, void **next)
{
	void *block;
	unsigned i;
	size_t at;

	be_id(id);
	for (i = 0; i < TURN; i++) {
		at = below(HELD);
		give(held[at]);
		held[at] = take(crowd_size());
		if (i % 8)
			continue;
		/* The next one's block and ours change hands. */
		block = held[at];
		held[at] = next[at];
		next[at] = block;
	}
}

/* Returns how many pairs that were. */
static uint64_t crowd_work(void **held)
{
	uint32_t id, turn;

	for (turn = 0; turn < CROWD_CALLS / TURN; turn++)
		for (id = 0; id < nr_ids; id++)
			crowd_turn(id, held + (size_t)id * HELD,
				   held + (size_t)((id + 1) % nr_ids) * HELD);
	return (uint64_t)nr_ids * CROWD_CALLS;
}

static uint64_t crowd(void)
{
	void **held = calloc((size_t)nr_ids * HELD, sizeof(*held));
	size_t i;

	for (i = 0; held && i < (size_t)nr_ids * HELD; i++) {
		be_id((uint32_t)(i / HELD));
		held[i] = take(crowd_size());
	}
	if (!held)
		figure_die("no memory");
	crowd_work(held);
	counts = true;
	return crowd_work(held);
}

static size_t heap_size(void)
{
	return load[0] == 'l' ? any_size(18, 4) : any_size(4, 12);
}

static uint64_t heap_work(void **blocks, size_t n)
{
	size_t i, at;

	for (i = 0; i < HEAP_CALLS; i++) {
		at = below(n);
		give(blocks[at]);
		blocks[at] = take(heap_size());
	}
	return HEAP_CALLS;
}

static uint64_t heap(void)
{
	size_t most = (size_t)nr_mib * MIB, size = 0, n = 0, one;
	size_t room = most / (load[0] == 'l' ? 256 * KIB : 2 * KIB) + 64;
	void **blocks = calloc(room, sizeof(*blocks));

	if (!blocks)
		figure_die("no memory");
	for (; (size < most && n < room) || !n; n++, size += one) {
		one = heap_size();
		blocks[n] = take(one);
	}
	heap_work(blocks, n);
	counts = true;
	return heap_work(blocks, n);
}

int main(int argc, char **argv)
{
	const struct option_row rows[] = {
		OPTION_TEXT("load", &load, "crowd, heap or large"),
		OPTION_NUMBER("ids", &nr_ids, 1, IDS_MOST, "CPUs of crowd"),
		OPTION_NUMBER("mib", &nr_mib, 1, MIB_MOST, "size of the heap"),
	};

	options_read_rows(argc, argv, rows);
	printf("pairs %llu\n",
	       (unsigned long long)(load[0] == 'c' ? crowd() : heap()));
	return 0;
}
