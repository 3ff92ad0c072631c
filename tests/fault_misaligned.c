/* modes: all no-qemu */
/* free of a pointer that no allocation function ever returns */
#include "fault.h"

static void misaligned(size_t size, size_t offset)
{
	char *p = malloc(size);

	announce("free of %p: inside a block", (void *)(p + offset));
	free(opaque(p + offset));
	flush_caches();
}

static void by_one(size_t size)
{
	misaligned(size, 1);
}

static void by_eight(size_t size)
{
	misaligned(size, 8);
}

static void by_size_less_one(size_t size)
{
	misaligned(size, size - 1);
}

static const struct fault_case cases[] = {
	{ "one", by_one, NULL, { 16, 17, 100, 1000, 5000, 32768, 100000 } },
	{ "eight", by_eight, NULL, { 16, 100, 1000, 5000, 20000, 1 << 20 } },
	{ "end", by_size_less_one, NULL, { 16, 48, 1000, 5000, 32768, 40000 } },
	{ "one", by_one, "checks=1", { 16, 1000, 100000 } },
};

int main(int argc, char **argv)
{
	return fault_main(cases, argc, argv);
}
