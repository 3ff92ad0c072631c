/* layer 0.3: bits: pure arithmetic on words and sizes
 *
 * Nothing here reads memory; every function is tested by enumeration.
 */
#ifndef LANE_BITS_H
#define LANE_BITS_H

#include "base/compiler.h"

#define ALL_ONES (~(uint64_t)0)
#define WORD_BITS 64

/* The lowest n bits, 0 <= n <= WORD_BITS. */
static force_inline uint64_t bits_low(unsigned n)
{
	return n >= WORD_BITS ? ALL_ONES : ((uint64_t)1 << n) - 1;
}

/* Bits [first, first + n); first + n <= WORD_BITS. */
static force_inline uint64_t bits_range(unsigned first, unsigned n)
{
	return n ? bits_low(n) << first : 0;
}

static force_inline uint64_t bits_one(unsigned i)
{
	return (uint64_t)1 << i;
}

static force_inline unsigned bits_count(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

/* Index of the lowest set bit; word != 0. */
static force_inline unsigned bits_first(uint64_t word)
{
	return (unsigned)__builtin_ctzll(word);
}

/* Index of the highest set bit; word != 0. */
static force_inline unsigned bits_last(uint64_t word)
{
	return WORD_BITS - 1 - (unsigned)__builtin_clzll(word);
}

/* Every bit of the result hangs on every bit of x: splitmix64's last step. */
static force_inline uint64_t bits_scramble(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static force_inline bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

/* to is a power of two; wraps around to a small value on overflow. */
static force_inline size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static force_inline size_t round_down(size_t n, size_t to)
{
	return n & ~(to - 1);
}

static force_inline size_t div_up(size_t n, size_t by)
{
	return n / by + (n % by != 0);
}

static force_inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static force_inline size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
