/* modes: all no-qemu */
/* free_sized and sized delete with a size that the block cannot have, where
 * the checks are on */
#include "fault.h"

static void *announced(size_t size, size_t wrong)
{
	void *p = malloc(size);

	announce("free_sized of %p: size %zu given, block has %zu", p, wrong,
		 malloc_usable_size(p));
	return p;
}

static void call(const char *name, void *p, size_t size)
{
	void (*f)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, name);

	f(p, size);
	_exit(0);
}

static void by_free_sized(size_t size)
{
	call("free_sized", announced(size, size * 2 + 16), size * 2 + 16);
}

static void by_delete(size_t size)
{
	call("_ZdlPvm", announced(size, size * 2 + 16), size * 2 + 16);
}

static void by_delete_array(size_t size)
{
	call("_ZdaPvm", announced(size, SIZE_MAX), SIZE_MAX);
}

static void by_free_aligned_sized(size_t size)
{
	void (*f)(void *, size_t, size_t) =
		(void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT,
							"free_aligned_sized");
	f(announced(size, size * 3 + 64), 16, size * 3 + 64);
	_exit(0);
}

/* Who made the block is told, too. */
static void by_delete_told(size_t size)
{
	void *p = announced(size, size + 1);

	announce("  the block: %p, live, %zu of", p, size);
	announce("  allocated by:");
	call("_ZdlPvm", p, size + 1);
}

/* One byte more than the block has. */
static void by_one(size_t size)
{
	void *p = malloc(size);
	size_t wrong = malloc_usable_size(p) + 1;

	announce("free_sized of %p: size %zu given, block has %zu", p, wrong,
		 wrong - 1);
	call("free_sized", p, wrong);
}

#define HARDENED "hardened=1,mte=off"

static const struct fault_case cases[] = {
	{ "free_sized",
	  by_free_sized,
	  "checks=1",
	  { 1, 100, 1000, 20000, 40000, 1 << 20 } },
	{ "delete",
	  by_delete,
	  "checks=1,check_pairs=0",
	  { 1, 100, 1000, 20000, 40000 } },
	{ "delete[]",
	  by_delete_array,
	  "checks=1,check_pairs=0",
	  { 100, 40000 } },
	{ "told",
	  by_delete_told,
	  "checks=full,check_pairs=0",
	  { 16, 100, 40000 } },
	{ "free_aligned_sized",
	  by_free_aligned_sized,
	  "checks=1",
	  { 100, 40000 } },
	{ "by-one", by_one, "checks=1", { 1, 16, 100, 32768, 32769 } },
	{ "by-one", by_one, HARDENED, { 1, 16, 100, 1000, 32768 } },
	{ "delete[]", by_delete_array, HARDENED, { 100, 40000 } },
};

FAULT_MAIN(cases)
