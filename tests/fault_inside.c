/* modes: all no-qemu */
/* pointers into the middle of a block, or that no allocation ever returns, to
 * each function that takes a block */
#include "fault.h"

#define free_sized_(p) LOOK(void (*)(void *, size_t), "free_sized")(p, size)
#define realloc_(p) must(realloc(p, 70000))

static char *block(size_t size)
{
	char *p = malloc(size);

	for (int i = 0; i < 20 && size <= 32768; i++) /* it is not alone */
		must(malloc(size));
	return p;
}

/* The call, whose message has that name, at that offset, for each size. */
#define INSIDE(run, by, name, offset, ...)                                 \
	FAULT(run, NULL, __VA_ARGS__)                                      \
	{                                                                  \
		char *p = block(size) + (offset);                          \
									   \
		announce(name " of %p: inside a block", (void *)p);        \
		by(opaque(p));                                             \
		flush_caches();                                            \
	}

#define LARGE 32769, 100000, 262145, 1 << 20, 64 << 20

INSIDE(by_one, free, "free", 1,
       16, 17, 100, 1000, 5000, 32768, 100000)
FAULT_ALSO(by_one, "checks=1", 16, 1000, 100000)
INSIDE(by_eight, free, "free", 8,
       16, 100, 1000, 5000, 20000, 1 << 20)
INSIDE(at_end, free, "free", size - 1,
       16, 48, 1000, 5000, 32768, 40000)
INSIDE(near, free, "free", 16,
       32, 100, 1280, 14336)
FAULT_ALSO(near, NULL, LARGE)
INSIDE(page, free, "free", 4096,
       LARGE)
/* Where a block might begin. */
INSIDE(unit, free, "free", 32768,
       LARGE)
FAULT_ALSO(unit, "checks=1", 100000)
INSIDE(middle, free, "free", size / 2 & ~(size_t)15,
       32, 48, 112, 1000, 5000, 20000, 32768)
FAULT_ALSO(middle, "checks=1", 32, 1000, 20000)
INSIDE(unit_middle, free, "free", size / 2 & ~(size_t)32767,
       100000, 1 << 20, 5 << 20, 64 << 20)
INSIDE(last, free, "free", (size - 1) & ~(size_t)15,
       32, 160, 1664, 7168, 24576)
FAULT_ALSO(last, NULL, 32769, 100000, 262145, 3 << 20, 64 << 20)
INSIDE(by_free_sized, free_sized_, "free", 16,
       32, 1000)
INSIDE(by_realloc, realloc_, "realloc", 16,
       32, 1000, 20000, 100000, 1 << 20)
INSIDE(by_usable, malloc_usable_size, "malloc_usable_size", 16,
       32, 1000, 20000, 100000, 1 << 20)
FAULT_ALSO(by_usable, "usable=requested", 32, 1000, 100000)
INSIDE(by_usable_odd, malloc_usable_size, "malloc_usable_size", 3,
       16, 1000, 100000)

FAULT_MAIN()
