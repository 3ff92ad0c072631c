/* modes: all no-qemu */
/* realloc of a block that was freed */
#include "fault.h"

/* In a CPU cache a freed block looks alive, so the realloc may pass; then its
 * own free of the old block is the second one. */
FAULT(freed, NULL, 16, 100, 1000, 5000, 20000)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	announce("free of %p: already free", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
	flush_caches();
}

FAULT(freed_large, NULL, 262145, 1 << 20)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	announce("realloc of %p: not a block", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
}

FAULT(checked, "checks=1", 16, 100, 1000, 5000, 20000)
{
	void *p = malloc(size);

	announce("realloc of %p: already free", p);
	free(opaque(p));
	must(realloc(opaque(p), size * 4));
	_exit(0);
}

FAULT_MAIN()
