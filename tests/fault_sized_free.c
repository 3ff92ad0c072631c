/* modes: all no-qemu */
/* free_sized and sized delete with a size that the block cannot have, where
 * the checks are on */
#include "fault.h"

#define HARDENED "hardened=1,mte=off"

static void *announced(size_t size, size_t wrong)
{
	void *p = malloc(size);

	announce("free_sized of %p: size %zu given, block has %zu", p, wrong,
		 malloc_usable_size(p));
	return p;
}

static void call(const char *name, void *p, size_t size)
{
	LOOK(void (*)(void *, size_t), name)(p, size);
	_exit(0);
}

FAULT(by_free_sized, "checks=1", 1, 100, 1000, 20000, 40000, 1 << 20)
{
	call("free_sized", announced(size, size * 2 + 16), size * 2 + 16);
}

FAULT(by_delete, "checks=1,check_pairs=0", 1, 100, 1000, 20000, 40000)
{
	call("_ZdlPvm", announced(size, size * 2 + 16), size * 2 + 16);
}

FAULT(by_delete_array, "checks=1,check_pairs=0", 100, 40000)
{
	call("_ZdaPvm", announced(size, SIZE_MAX), SIZE_MAX);
}
FAULT_ALSO(by_delete_array, HARDENED, 100, 40000)

FAULT(by_free_aligned_sized, "checks=1", 100, 40000)
{
	LOOK(void (*)(void *, size_t, size_t), "free_aligned_sized")(
		announced(size, size * 3 + 64), 16, size * 3 + 64);
	_exit(0);
}

/* Who made the block is told, too. */
FAULT(by_delete_told, "checks=full,check_pairs=0", 16, 100, 40000)
{
	void *p = announced(size, size + 1);

	announce("  the block: %p, live, %zu of", p, size);
	announce("  allocated by:");
	call("_ZdlPvm", p, size + 1);
}

/* One byte more than the block has. */
FAULT(by_one, "checks=1", 1, 16, 100, 32768, 32769)
{
	void *p = malloc(size);
	size_t wrong = malloc_usable_size(p) + 1;

	announce("free_sized of %p: size %zu given, block has %zu", p, wrong,
		 wrong - 1);
	call("free_sized", p, wrong);
}
FAULT_ALSO(by_one, HARDENED, 1, 16, 100, 1000, 32768)

FAULT_MAIN()
