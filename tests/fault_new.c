/* modes: all no-qemu */
/* operator new that fails in a program without a C++ runtime */
#include "fault.h"

static void by_new(size_t size)
{
	void *(*new)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");

	size = SIZE_MAX - size;
	announce("operator new: no memory for %zu bytes, "
		 "and no C++ runtime that could throw",
		 size);
	new (size);
}

static const struct fault_case cases[] = {
	{ "new", by_new, NULL, { 1, 4096 } },
};

FAULT_MAIN(cases)
