/* random: splitmix64; any state will do, and neighbouring ones give unlike
 * numbers */
#ifndef HARNESS_RANDOM_H
#define HARNESS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_STEP ((uint64_t)0x9e3779b97f4a7c15)

/* One to one, and each bit of x changes half of the bits. */
static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * (uint64_t)0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * (uint64_t)0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint64_t random_next(uint64_t *state)
{
	return random_mix(*state += RANDOM_STEP);
}

/* 0 < n */
static inline size_t random_below(uint64_t *state, size_t n)
{
	return random_next(state) % n;
}

#endif
