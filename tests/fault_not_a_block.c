/* modes: all no-qemu */
/* addresses inside the heap's reservation that no block has, and blocks that
 * are in a slab again, to each function that takes a block */
#include "fault.h"

#define realloc_(p) must(realloc(p, 200))

/* The call, whose message has that name, at such shares of all that is
 * reserved, far from all blocks. */
#define NEVER_USED(run, by, name, ...)                                    \
	FAULT(run, NULL, __VA_ARGS__)                                     \
	{                                                                 \
		char *p = malloc(100);                                    \
									  \
		p += stats_now().reserved_size / size;                    \
		announce(name " of %p: not a block", (void *)p);          \
		by(opaque(p));                                            \
	}

NEVER_USED(by_free, free, "free", 4, 8, 64)
NEVER_USED(by_realloc, realloc_, "realloc", 4, 64)
NEVER_USED(by_usable, malloc_usable_size, "malloc_usable_size", 4, 64)

/* Where the slab's next object would be, behind its last one. Large pages are
 * no walls. */
FAULT(behind_slab, "hardened=1,mte=off", 88, 136, 296, 392)
{
	size_t object = size + 8, unit = 32768, page = (size_t)getpagesize();
	size_t room = page <= unit / 4 ? unit - page : unit;
	char *p = malloc(size);

	p -= (uintptr_t)p & (unit - 1);
	p += room / object * object;
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}

/* Beside a large block's end. */
FAULT(behind_large, NULL, 100000, 5 << 20)
{
	char *p = malloc(size);

	p += malloc_usable_size(p) + (64 << 20);
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}

FAULT(once_used, NULL, 100000, 1 << 20, 8 << 20)
{
	char *p = malloc(size);

	memset(p, 1, size);
	free(p);
	flush_caches();
	p += size / 2 & ~(size_t)15;
	announce("free of %p: not a block", (void *)p);
	free(opaque(p));
}
FAULT_ALSO(once_used, "checks=1,quarantine=0", 1 << 20)

/* The call, of a block whose slab another one keeps alive. */
#define IN_SLAB(run, by, name, ...)                                       \
	FAULT(run, NULL, __VA_ARGS__)                                     \
	{                                                                 \
		char *p = malloc(size);                                   \
									  \
		must(malloc(size));                                       \
		announce(name " of %p: already free", (void *)p);         \
		free(opaque(p));                                          \
		flush_caches();                                           \
		by(opaque(p));                                            \
	}

IN_SLAB(realloc_freed, realloc_, "realloc", 16, 100, 1000, 5000)
IN_SLAB(usable_freed, malloc_usable_size, "malloc_usable_size", 16, 1000, 20000)

FAULT_MAIN()
