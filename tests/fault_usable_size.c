/* modes: all no-qemu */
/* malloc_usable_size of what is no live block */
#include "fault.h"

static void inside(size_t size)
{
	char *p = (char *)malloc(size) + 16;

	announce("malloc_usable_size of %p: inside a block", (void *)p);
	malloc_usable_size(opaque(p));
}

static void misaligned(size_t size)
{
	char *p = (char *)malloc(size) + 3;

	announce("malloc_usable_size of %p: inside a block", (void *)p);
	malloc_usable_size(opaque(p));
}

static void freed_in_slab(size_t size)
{
	char *p = malloc(size);

	must(malloc(size));
	announce("malloc_usable_size of %p: already free", (void *)p);
	free(opaque(p));
	flush_caches();
	malloc_usable_size(opaque(p));
}

static void not_a_block(size_t share)
{
	char *p = malloc(100);

	p += stats_now().reserved_size / share;
	announce("malloc_usable_size of %p: not a block", (void *)p);
	malloc_usable_size(opaque(p));
}

static const struct fault_case cases[] = {
	{ "inside", inside, NULL, { 32, 1000, 20000, 100000, 1 << 20 } },
	{ "misaligned", misaligned, NULL, { 16, 1000, 100000 } },
	{ "freed-in-slab", freed_in_slab, NULL, { 16, 1000, 20000 } },
	{ "not-a-block", not_a_block, NULL, { 4, 64 } },
	{ "inside-req", inside, "usable=requested", { 32, 1000, 100000 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
