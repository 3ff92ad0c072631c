/* layer 0.4: bytes: memset, memcpy and memmove that need no libc */
#ifndef LANE_BYTES_H
#define LANE_BYTES_H

#include "base/compiler.h"

#if defined(__x86_64__)
#include "base/bytes_x86_64.h"
#else
#include "base/bytes_generic.h"
#endif

void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);

#endif
