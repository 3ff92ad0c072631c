/* build: -Wl,--enable-new-dtags,-rpath,$ORIGIN */
/* A library that opens others by its own RUNPATH; for api_dlopen.c */
#include <dlfcn.h>

void *runpath_open(const char *name, int mode);

/* Not a tail call: this function is the caller that dlopen() sees. */
void *runpath_open(const char *name, int mode)
{
	void *volatile handle = dlopen(name, mode);

	return handle;
}
