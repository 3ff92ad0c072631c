/* modes: all no-qemu */
/* pointers into the middle of a block, or that no allocation ever returns, to
 * each function that takes a block */
#include "fault.h"

#define free_sized_(p) \
	((void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized"))(p, size)
#define realloc_(p) must(realloc(p, 70000))

static char *block(size_t size)
{
	char *p = malloc(size);

	for (int i = 0; i < 20 && size <= 32768; i++) /* it is not alone */
		must(malloc(size));
	return p;
}

/* The call, whose message has that name, at that offset. */
#define INSIDE(run, by, name, offset)                                      \
	static void run(size_t size)                                       \
	{                                                                  \
		char *p = block(size) + (offset);                          \
									   \
		announce(name " of %p: inside a block", (void *)p);        \
		by(opaque(p));                                             \
		flush_caches();                                            \
	}

INSIDE(by_one, free, "free", 1)
INSIDE(by_eight, free, "free", 8)
INSIDE(at_end, free, "free", size - 1)
INSIDE(near, free, "free", 16)
INSIDE(page, free, "free", 4096)
INSIDE(unit, free, "free", 32768) /* where a block might begin */
INSIDE(middle, free, "free", size / 2 & ~(size_t)15)
INSIDE(unit_middle, free, "free", size / 2 & ~(size_t)32767)
INSIDE(last, free, "free", (size - 1) & ~(size_t)15)
INSIDE(by_free_sized, free_sized_, "free", 16)
INSIDE(by_realloc, realloc_, "realloc", 16)
INSIDE(by_usable, malloc_usable_size, "malloc_usable_size", 16)
INSIDE(by_usable_odd, malloc_usable_size, "malloc_usable_size", 3)

#define LARGE 32769, 100000, 262145, 1 << 20, 64 << 20

static const struct fault_case cases[] = {
	{ "one", by_one, NULL, { 16, 17, 100, 1000, 5000, 32768, 100000 } },
	{ "one", by_one, "checks=1", { 16, 1000, 100000 } },
	{ "eight", by_eight, NULL, { 16, 100, 1000, 5000, 20000, 1 << 20 } },
	{ "end", at_end, NULL, { 16, 48, 1000, 5000, 32768, 40000 } },
	{ "near", near, NULL, { 32, 100, 1280, 14336 } },
	{ "near", near, NULL, { LARGE } },
	{ "page", page, NULL, { LARGE } },
	{ "unit", unit, NULL, { LARGE } },
	{ "unit", unit, "checks=1", { 100000 } },
	{ "middle", middle, NULL, { 32, 48, 112, 1000, 5000, 20000, 32768 } },
	{ "middle", middle, "checks=1", { 32, 1000, 20000 } },
	{ "unit-middle", unit_middle, NULL,
	  { 100000, 1 << 20, 5 << 20, 64 << 20 } },
	{ "last", last, NULL, { 32, 160, 1664, 7168, 24576 } },
	{ "last", last, NULL, { 32769, 100000, 262145, 3 << 20, 64 << 20 } },
	{ "free_sized", by_free_sized, NULL, { 32, 1000 } },
	{ "realloc", by_realloc, NULL, { 32, 1000, 20000, 100000, 1 << 20 } },
	{ "usable", by_usable, NULL, { 32, 1000, 20000, 100000, 1 << 20 } },
	{ "usable", by_usable, "usable=requested", { 32, 1000, 100000 } },
	{ "usable-odd", by_usable_odd, NULL, { 16, 1000, 100000 } },
};

FAULT_MAIN(cases)
