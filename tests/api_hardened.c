/* modes: all no-qemu */
/* hardened=1: blocks are as ever; what is freed is zero and serves nobody for a
 * while; the order of addresses is no order; slabs end in walls */
#include "expect.h"

#define NR_BLOCKS 1000

static sigjmp_buf fault;
static char *blocks[NR_BLOCKS];

TEST_ROLE(blocks, "hardened=1", "hardened=1,checks=full")
{
	for (size_t n = 1; n < 1000000; n += 1 + n / 4) {
		for (unsigned i = 0; i < 20; i++) {
			blocks[i] = i % 3 ? malloc(n) : calloc(1, n);
			must(blocks[i] && (i % 3 || is_zero(blocks[i], n)));
			pattern_fill(blocks[i], n, i);
		}
		for (unsigned i = 0; i < 20; i++) {
			must(pattern_holds(blocks[i], n, i));
			blocks[i] = realloc(blocks[i], n + n / 2);
			pattern_free(blocks[i], n < 128 ? n : 128, i);
		}
	}
}

/* What one size left in a lane serves the next one, whose footer is another's
 * with both options. */
TEST_ROLE(neighbours, "hardened=1", "hardened=1,checks=full")
{
	for (size_t n = 1; n < 3000; n++) {
		char *small = malloc(n), *p = malloc(n + 8);

		must(malloc_usable_size(p) == n + 8);
		pattern_fill(p, n + 8, 1);
		p = realloc(p, 2 * n + 8);
		pattern_free(p, n + 8 < 128 ? n + 8 : 128, 1);
		free(small);
	}
}

/* All but the mark in the second word. */
TEST_ROLE(zero, "hardened=1,mte=off")
{
	for (size_t n = 16; n < 3000; n += 48) {
		char *p = malloc(n);

		memset(p, 1, n);
		free(p);
		must(is_zero(opaque(p), 8));
		must(n <= 16 || is_zero(opaque(p) + 16, n - 16));
	}
}

TEST_ROLE(not_at_once, "hardened=1,mte=off")
{
	char *p = malloc(100);

	free(p);
	for (unsigned i = 0; i < 2000; i++) {
		char *q = malloc(100);

		must(q != p);
		free(q);
	}
	p = malloc(1 << 20);
	free(p);
	for (unsigned i = 0; i < 10; i++) {
		char *q = malloc(1 << 20);

		must(q != p);
		free(q);
	}
}

/* What nothing can serve empties no quarantine. */
TEST_ROLE(kept, "hardened=1,mte=off")
{
	char *p = malloc(100);

	free(p);
	must(!malloc(opaque((size_t)1 << 46)));
	for (unsigned i = 0; i < 100; i++) {
		char *q = malloc(100);

		must(q != p);
		free(q);
	}
}

/* Neither upwards nor downwards as without it. */
TEST_ROLE(order, "hardened=1,mte=off")
{
	unsigned nr_next = 0;

	for (unsigned i = 0; i < NR_BLOCKS; i++)
		blocks[i] = malloc(112);
	for (unsigned i = 1; i < NR_BLOCKS; i++)
		nr_next += labs(blocks[i] - blocks[i - 1]) == 112;
	must(is_direct() || nr_next < NR_BLOCKS / 5);
}

/* Once for each write that is to fault. */
static void on_fault(int number)
{
	signal(number, SIG_DFL);
	siglongjmp(fault, number);
}

/* Writes upwards from a block on; how far that went before it faulted. */
static size_t wall_find(size_t size, size_t step, size_t most)
{
	static volatile size_t offset;
	char *p = malloc(size);

	must(p);
	if (sigsetjmp(fault, 1))
		return offset;
	signal(SIGSEGV, on_fault);
	for (offset = size; offset < most; offset += step)
		((volatile char *)opaque(p))[offset] = 1;
	must(0);
	return 0;
}

/* Slabs end within their units, large blocks within a unit more. The slab is
 * the program's own loss, so nothing is freed. */
TEST_ROLE(walls, "hardened=1,mte=off")
{
	static const size_t sizes[] = { 8, 50, 1000, 3000, 7000, 16000 };
	static const size_t large[] = { 300000, MIB, 5 * MIB };
	size_t unit = 32768;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		must(wall_find(sizes[i], 16, MIB) <= 4 * unit);
	for (unsigned i = 0; i < sizeof(large) / sizeof(*large); i++)
		must(wall_find(large[i], 1024, 2 * large[i]) <=
		     large[i] + 2 * unit);
	_exit(0);
}

static void *churn(void *arg)
{
	blocks_churn((uintptr_t)arg, 10000, MIB);
	return NULL;
}

TEST_ROLE(threads, "hardened=1", "hardened=1,quarantine=64k",
	  "checks=full,quarantine=64k",
	  "hardened=1,guard=5,profile_interval=10000")
{
	threads_run(4, churn);
}

/* What another malloc made still goes home to it. */
TEST_ROLE(foreign, "hardened=1")
{
	void *(*libc_malloc)(size_t) =
		(void *(*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
	void *p;

	for (size_t n = 1; libc_malloc && n < MIB; n += 1 + n / 3) {
		p = libc_malloc(n);
		must(p);
		free(opaque(p));
	}
}

API_MAIN(NULL, NULL)
