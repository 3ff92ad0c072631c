/* modes: all no-qemu */
/* operator new that fails in a program without a C++ runtime */
#include "fault.h"

FAULT(by_new, NULL, 1, 4096)
{
	size = SIZE_MAX - size;
	announce("operator new: no memory for %zu bytes, "
		 "and no C++ runtime that could throw",
		 size);
	LOOK(void *(*)(size_t), "_Znwm")(size);
}

FAULT_MAIN()
