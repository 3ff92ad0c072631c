/* layer 0.1: compiler: the few words that C11 lacks */
#ifndef LANE_COMPILER_H
#define LANE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define force_inline inline __attribute__((always_inline))
#define cold __attribute__((cold, noinline))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
/* Absent at load time (musl, static links): test the address before use. */
#define weak_import __attribute__((weak))
/* For data that inlined code reads: reached without the GOT. */
#define internal __attribute__((visibility("hidden")))
#define exported __attribute__((visibility("default")))

#define container_of(ptr, type, member) \
	((type *)(void *)(((char *)(ptr)) - offsetof(type, member)))

#define CACHE_LINE 64
#define PAGE_LEAST 4096 /* no architecture's page is smaller */
#define ERRNO_MOST 4095 /* the kernel's results from -4095 on fail */

/* For functions that run all the time: where the linker happens to put them
 * makes a pair slower by up to a tenth. */
#define on_own_lines __attribute__((aligned(CACHE_LINE)))

#endif
