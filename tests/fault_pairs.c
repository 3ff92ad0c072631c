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
	return ((make_fn *)dlsym(RTLD_DEFAULT, name))(size, ALIGN);
}

static void given_by(const char *name, void *p, size_t size)
{
	((give_fn *)dlsym(RTLD_DEFAULT, name))(p, size, ALIGN);
	_exit(0);
}

static void realloc_of_new(size_t size)
{
	void *p = made_by("_Znwm", size);

	announce("realloc of %p: made by new", p);
	_exit(!realloc(opaque(p), 2 * size));
}

/* A function of that name: what one made, and another one is given. */
#define PAIR(name, maker, giver, text)          \
	static void name(size_t size)           \
	{                                       \
		void *p = made_by(maker, size); \
						\
		announce(text, p);              \
		given_by(giver, p, size);       \
	}

PAIR(free_of_new, "_Znwm", "free", "free of %p: made by new")
PAIR(free_of_array, "_ZnamRKSt9nothrow_t", "free_sized",
     "free of %p: made by new[]")
PAIR(delete_of_malloc, "malloc", "_ZdlPv", "delete of %p: made by malloc")
PAIR(delete_of_array, "_Znam", "_ZdlPvm", "delete of %p: made by new[]")
PAIR(delete_array_of_new, "_ZnwmRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
     "delete[] of %p: made by new")
PAIR(delete_of_aligned, "_ZnwmSt11align_val_t", "_ZdlPv",
     "delete of %p: made by aligned new")
PAIR(aligned_delete_of_array, "_ZnamSt11align_val_t",
     "_ZdlPvmSt11align_val_t",
     "aligned delete of %p: made by aligned new[]")

static const struct fault_case cases[] = {
	{ "free-of-new", free_of_new, "checks=full", { 1, 1000, 1 << 20 } },
	{ "free-of-array", free_of_array, "checks=full", { 1, 40000 } },
	{ "realloc-of-new", realloc_of_new, "checks=full", { 100, 1 << 20 } },
	{ "delete-of-malloc", delete_of_malloc, "checks=full", { 1, 1000 } },
	{ "delete-of-array", delete_of_array, "checks=full", { 1, 1000 } },
	{ "delete[]", delete_array_of_new, "checks=full", { 1, 1000 } },
	{ "of-aligned", delete_of_aligned, "checks=full", { 64, 1000 } },
	{ "aligned",
	  aligned_delete_of_array,
	  "checks=full,hardened=1",
	  { 64, 1000 } },
};

FAULT_MAIN(cases)
