/* modes: all no-qemu */
/* addresses inside the heap's reservation that no block has, and blocks that
 * are in a slab again, to each function that takes a block */
#include "fault.h"

#define realloc_(p) must(realloc(p, 200))

/* The call, whose message has that name, far from all blocks. */
#define NEVER_USED(run, by, name)                                         \
	static void run(size_t share)                                     \
	{                                                                 \
		char *p = malloc(100);                                    \
									  \
		p += stats_now().reserved_size / share;                   \
		announce(name " of %p: not a block", (void *)p);          \
		by(opaque(p));                                            \
	}

NEVER_USED(by_free, free, "free")
NEVER_USED(by_realloc, realloc_, "realloc")
NEVER_USED(by_usable, malloc_usable_size, "malloc_usable_size")

/* Where the slab's next object would be, behind its last one. */
static void behind_slab(size_t size)
{
	size_t object = size + 8, unit = 32768, most = (unit - 4096) / object;
	char *p = malloc(size);

	p -= (uintptr_t)p & (unit - 1);
	p += most * object;
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

/* The call, of a block whose slab another one keeps alive. */
#define IN_SLAB(run, by, name)                                            \
	static void run(size_t size)                                      \
	{                                                                 \
		char *p = malloc(size);                                   \
									  \
		must(malloc(size));                                       \
		announce(name " of %p: already free", (void *)p);         \
		free(opaque(p));                                          \
		flush_caches();                                           \
		by(opaque(p));                                            \
	}

IN_SLAB(realloc_freed, realloc_, "realloc")
IN_SLAB(usable_freed, malloc_usable_size, "malloc_usable_size")

static const struct fault_case cases[] = {
	{ "free", by_free, NULL, { 4, 8, 64 } },
	{ "realloc", by_realloc, NULL, { 4, 64 } },
	{ "usable", by_usable, NULL, { 4, 64 } },
	{ "behind-large", behind_large, NULL, { 100000, 5 << 20 } },
	{ "behind-slab", behind_slab, "hardened=1,mte=off",
	  { 120, 136, 392, 1016 } },
	{ "once-used", once_used, NULL, { 100000, 1 << 20, 8 << 20 } },
	{ "once-used", once_used, "checks=1,quarantine=0", { 1 << 20 } },
	{ "realloc-freed", realloc_freed, NULL, { 16, 100, 1000, 5000 } },
	{ "usable-freed", usable_freed, NULL, { 16, 1000, 20000 } },
};

FAULT_MAIN(cases)
