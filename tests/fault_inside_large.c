/* modes: all no-qemu */
/* free of a pointer into the middle of a large block */
#include "fault.h"

static char *inside(size_t size, size_t offset)
{
	char *p = malloc(size);

	must(offset < size);
	announce("free of %p: inside a block", (void *)(p + offset));
	return p + offset;
}

static void near(size_t size)
{
	free(opaque(inside(size, 16)));
}

static void page(size_t size)
{
	free(opaque(inside(size, 4096)));
}

/* Where a block of its own might begin. */
static void unit(size_t size)
{
	free(opaque(inside(size, 32768)));
}

static void middle(size_t size)
{
	free(opaque(inside(size, size / 2 & ~(size_t)32767)));
}

static void last(size_t size)
{
	free(opaque(inside(size, (size - 1) & ~(size_t)15)));
}

static const struct fault_case cases[] = {
	{ "near", near, NULL, { 32769, 100000, 262145, 1 << 20, 64 << 20 } },
	{ "page", page, NULL, { 32769, 100000, 262145, 1 << 20, 64 << 20 } },
	{ "unit", unit, NULL, { 32769, 100000, 262145, 1 << 20, 64 << 20 } },
	{ "middle", middle, NULL, { 100000, 1 << 20, 5 << 20, 64 << 20 } },
	{ "last", last, NULL, { 32769, 100000, 262145, 3 << 20, 64 << 20 } },
	{ "unit", unit, "checks=1", { 100000 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
