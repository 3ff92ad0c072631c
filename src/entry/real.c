/* layer 6.4: real: libc's functions behind our names */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "entry/real.h"

#include <dlfcn.h>

#include "entry/cxx_runtime.h"
#include "front/foreign.h"

void *real_look_up(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

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

/* Finds libc's own, for blocks that libc's own malloc made. */
static void find_libc_usable_size(void)
{
	union {
		void *found;
		size_t (*usable_size)(void *);
	} real = { real_look_up("malloc_usable_size") };

	sealed.at.libc_usable_size = real.usable_size;
}

/* Finds it by its name alone, as a reference would ask for the libc that has
 * it. */
static void find_find_object(void)
{
	union {
		void *found;
		int (*find_object)(void *, void *);
	} real = { real_look_up("_dl_find_object") };

	sealed.at.find_object = real.find_object;
}

static __attribute__((constructor(102))) void real_find_all(void)
{
	static const char *const names[] = {
#define REAL_NAME(name) #name,
		SEALED_REAL(REAL_NAME)
#undef REAL_NAME
	};
	unsigned i;

	find_libc_usable_size();
	find_find_object();
	for (i = 0; i < NR_REAL; i++)
		sealed.at.real[i] = real_look_up(names[i]);
}
