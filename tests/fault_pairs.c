/* modes: all no-qemu */
/* new, new[], their aligned forms and malloc, each freed by the way of another,
 * where all checks are on */
#include "fault.h"

#define ALIGN 64

typedef void *make_fn(size_t size, size_t align);
typedef void give_fn(void *block, size_t size, size_t align);

/* Arguments that a function does not have are in registers that it does not
 * read. */
static void *made_by(const char *name, size_t size)
{
	return LOOK(make_fn *, name)(size, ALIGN);
}

static void given_by(const char *name, void *p, size_t size)
{
	LOOK(give_fn *, name)(p, size, ALIGN);
	_exit(0);
}

FAULT(realloc_of_new, "checks=full", 100, 1 << 20)
{
	void *p = made_by("_Znwm", size);

	announce("realloc of %p: made by new", p);
	_exit(!realloc(opaque(p), 2 * size));
}

/* What one made and another one is given; with what options and sizes. */
#define PAIR(name, maker, giver, text, ...)     \
	FAULT(name, __VA_ARGS__)                \
	{                                       \
		void *p = made_by(maker, size); \
						\
		announce(text, p);              \
		given_by(giver, p, size);       \
	}

PAIR(free_of_new, "_Znwm", "free", "free of %p: made by new",
     "checks=full", 1, 1000, 1 << 20)
PAIR(free_of_array, "_ZnamRKSt9nothrow_t", "free_sized",
     "free of %p: made by new[]", "checks=full", 1, 40000)
PAIR(delete_of_malloc, "malloc", "_ZdlPv", "delete of %p: made by malloc",
     "checks=full", 1, 1000)
PAIR(delete_of_array, "_Znam", "_ZdlPvm", "delete of %p: made by new[]",
     "checks=full", 1, 1000)
PAIR(delete_array_of_new, "_ZnwmRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
     "delete[] of %p: made by new", "checks=full", 1, 1000)
PAIR(delete_of_aligned, "_ZnwmSt11align_val_t", "_ZdlPv",
     "delete of %p: made by aligned new", "checks=full", 64, 1000)
PAIR(aligned_delete_of_array, "_ZnamSt11align_val_t",
     "_ZdlPvmSt11align_val_t", "aligned delete of %p: made by aligned new[]",
     "checks=full,hardened=1", 64, 1000)

FAULT_MAIN()
