/* modes: all no-qemu */
/* free of addresses inside the heap's reservation that no block has */
#include "fault.h"

static void never_used(size_t share)
{
	char *p = malloc(100);

	p += stats_now().reserved_size / share;
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}

/* Beside a large block's end. */
static void behind_large(size_t size)
{
	char *p = malloc(size);

	p += malloc_usable_size(p) + (64 << 20);
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}

static void once_used(size_t size)
{
	char *p = malloc(size);

	memset(p, 1, size);
	free(p);
	flush_caches();
	p += size / 2 & ~(size_t)15;
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}

static const struct fault_case cases[] = {
	{ "never-used", never_used, NULL, { 4, 8, 64 } },
	{ "behind-large", behind_large, NULL, { 100000, 5 << 20 } },
	{ "once-used", once_used, NULL, { 100000, 1 << 20, 8 << 20 } },
	{ "once-used", once_used, "checks=1,quarantine=0", { 1 << 20 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
