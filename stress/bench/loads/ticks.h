/* ticks: the processor's time counter
 *
 * It runs at a constant rate, on every CPU alike. ticks_now() waits for what
 * stands before it and holds back what stands behind it, so that a call
 * between two of them is timed until its result is there; ticks_raw() does
 * not, and tells how finely the counter can be read at all.
 */
#ifndef TICKS_H
#define TICKS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>

static inline uint64_t ticks_raw(void)
{
	return __rdtsc();
}

static inline uint64_t ticks_now(void)
{
	uint64_t ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}
#elif defined(__aarch64__)
static inline uint64_t ticks_raw(void)
{
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

static inline uint64_t ticks_now(void)
{
	uint64_t ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb"
			 : "=r"(ticks) : : "memory");
	return ticks;
}
#else
#error "no time counter is known for this machine"
#endif

#endif
