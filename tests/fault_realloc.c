/* modes: all no-qemu */
/* realloc of a block that was freed */
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

static const struct fault_case cases[] = {
	{ "freed", freed, NULL, { 16, 100, 1000, 5000, 20000 } },
	{ "freed-large", freed_large, NULL, { 262145, 1 << 20 } },
	{ "checked", checked, "checks=1", { 16, 100, 1000, 5000, 20000 } },
};

FAULT_MAIN(cases)
