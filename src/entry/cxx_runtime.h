/* layer 6.1: C++ runtime: where its functions are, when they are needed */
#ifndef LANE_CXX_RUNTIME_H
#define LANE_CXX_RUNTIME_H

#include "base/compiler.h"

/* Finds a function of the C++ runtime that is loaded, by its mangled name;
 * NULL: none. For a request that has failed: it takes the loader's lock. Only
 * the shared library has it; test its address. */
void *cxx_runtime_find(const char *name)
	__attribute__((weak, visibility("hidden")));

#endif
