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

static void free_of_new(size_t size)
{
	void *p = made_by("_Znwm", size);

	announce("free of %p: made by new", p);
	given_by("free", p, size);
}

static void free_of_array(size_t size)
{
	void *p = made_by("_ZnamRKSt9nothrow_t", size);

	announce("free of %p: made by new[]", p);
	given_by("free_sized", p, size);
}

static void realloc_of_new(size_t size)
{
	void *p = made_by("_Znwm", size);

	announce("realloc of %p: made by new", p);
	_exit(!realloc(opaque(p), 2 * size));
}

static void delete_of_malloc(size_t size)
{
	void *p = malloc(size);

	announce("delete of %p: made by malloc", p);
	given_by("_ZdlPv", p, size);
}

static void delete_of_array(size_t size)
{
	void *p = made_by("_Znam", size);

	announce("delete of %p: made by new[]", p);
	given_by("_ZdlPvm", p, size);
}

static void delete_array_of_new(size_t size)
{
	void *p = made_by("_ZnwmRKSt9nothrow_t", size);

	announce("delete[] of %p: made by new", p);
	given_by("_ZdaPvRKSt9nothrow_t", p, size);
}

static void delete_of_aligned(size_t size)
{
	void *p = made_by("_ZnwmSt11align_val_t", size);

	announce("delete of %p: made by aligned new", p);
	given_by("_ZdlPv", p, size);
}

static void aligned_delete_of_array(size_t size)
{
	void *p = made_by("_ZnamSt11align_val_t", size);

	announce("aligned delete of %p: made by aligned new[]", p);
	given_by("_ZdlPvmSt11align_val_t", p, size);
}

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

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
