/* modes: all no-qemu */
/* free of a pointer into the middle of a small block */
#include "fault.h"

static char *inside(size_t size, size_t offset)
{
	char *p = malloc(size);

	for (int i = 0; i < 20; i++) /* it is not alone */
		must(malloc(size));
	announce("free of %p: inside a block", (void *)(p + offset));
	return p + offset;
}

static void middle(size_t size)
{
	free(opaque(inside(size, size / 2 / 16 * 16)));
}

static void second_granule(size_t size)
{
	free(opaque(inside(size, 16)));
}

static void last_granule(size_t size)
{
	free(opaque(inside(size, (size - 1) / 16 * 16)));
}

static void by_free_sized(size_t size)
{
	void (*free_sized)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");

	free_sized(opaque(inside(size, 16)), size);
}

static const struct fault_case cases[] = {
	{ "middle", middle, NULL, { 32, 48, 112, 1000, 5000, 20000, 32768 } },
	{ "second", second_granule, NULL, { 32, 100, 1280, 14336 } },
	{ "last", last_granule, NULL, { 32, 160, 1664, 7168, 24576 } },
	{ "by-free_sized", by_free_sized, NULL, { 32, 1000 } },
	{ "middle", middle, "checks=1", { 32, 1000, 20000 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
