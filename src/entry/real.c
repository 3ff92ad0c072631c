/* layer 6.4: real: libc's functions behind our names */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "entry/real.h"

#include <dlfcn.h>

void *real_look_up(const char *name)
{
	return dlsym(RTLD_NEXT, name);
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
