/* modes: all no-qemu */
/* realloc of what is no live block */
#include "fault.h"

/* In a CPU cache a freed block looks alive, so the realloc may pass; then its
 * own free of the old block is the second one. */
static void freed(size_t size)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	announce("free of %p: already free", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
	flush_caches();
}

static void freed_in_slab(size_t size)
{
	void *p = malloc(size);

	must(malloc(size)); /* keeps the slab alive */
	announce("realloc of %p: already free", p);
	free(opaque(p));
	flush_caches();
	must(realloc(opaque(p), size * 4));
}

static void freed_large(size_t size)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	announce("realloc of %p: not a block", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
}

static void checked(size_t size)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
	_exit(0);
}

static void inside(size_t size)
{
	char *p = (char *)malloc(size) + 16;

	announce("realloc of %p: inside a block", (void *)p);
	must(realloc(opaque(p), size * 2));
}

static void not_a_block(size_t share)
{
	char *p = malloc(100);

	p += stats_now().reserved_size / share;
	announce("realloc of %p: not a block", (void *)p);
	must(realloc(opaque(p), 200));
}

static const struct fault_case cases[] = {
	{ "freed", freed, NULL, { 16, 100, 1000, 5000, 20000 } },
	{ "freed-in-slab", freed_in_slab, NULL, { 16, 100, 1000, 5000 } },
	{ "freed-large", freed_large, NULL, { 262145, 1 << 20 } },
	{ "checked", checked, "checks=1", { 16, 100, 1000, 5000, 20000 } },
	{ "inside", inside, NULL, { 32, 1000, 20000, 100000, 1 << 20 } },
	{ "not-a-block", not_a_block, NULL, { 4, 64 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
