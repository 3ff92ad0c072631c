/* layer 6.1: C++ runtime: where its functions are, when they are needed */
#include "entry/cxx_runtime.h"

#include <dlfcn.h>

/* RTLD_NOLOAD: one that the program has, in whatever scope. The handle is kept,
 * so that what was found stays. */
void *cxx_runtime_find(const char *name)
{
	static const char *const runtimes[] = { "libstdc++.so.6",
						"libc++abi.so.1",
						"libc++.so.1" };
	void *handle, *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(runtimes) / sizeof(*runtimes) && !found; i++) {
		handle = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
		found = handle ? dlsym(handle, name) : NULL;
	}
	return found;
}
