/* layer 4.5: chance: which allocations are sampled; contract in chance.h */
#include "sample/chance.h"

#include "base/bits.h"

#define LN_2 0.69314718055994530942
#define SQRT_2 1.41421356237309504880
#define RATIO_MOST 44.0 /* exp(-44) is nothing beside 1 */
#define HALVINGS 10
#define DISTANCE_MOST ((double)(UINT64_C(1) << 62))

/* The area tangent of s, over s: 1 + s^2/3 + s^4/5 ..., to 10^-12 where s is at
 * most 0.18. */
static double area_tangent_of(double square)
{
	static const double parts[] = { 1. / 13, 1. / 11, 1. / 9, 1. / 7,
					1. / 5,	 1. / 3,  1. };
	double sum = 1. / 15;
	unsigned i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sum = sum * square + parts[i];
	return sum;
}

/* -ln(x / 2^64), x > 0: the power of two apart, for the rest, from 1/sqrt(2) to
 * sqrt(2), the series of the area tangent. */
static double minus_log(uint64_t x)
{
	unsigned last = bits_last(x);
	double m = (double)(x << (63 - last)) / 9223372036854775808.0;
	double s;
	int power = (int)last - 64;

	if (m > SQRT_2) {
		m /= 2;
		power++;
	}
	s = (m - 1) / (m + 1);
	return -(2 * s * area_tangent_of(s * s) + power * LN_2);
}

uint64_t chance_distance(uint64_t random, uint64_t interval)
{
	double distance;

	if (interval <= 1)
		return 0;
	distance = minus_log(random | 1) * (double)interval;
	return distance < DISTANCE_MOST ? (uint64_t)distance : 1ull << 62;
}

/* 1 - exp(-x), by its series at x / 2^10, doubled ten times: no digit is lost
 * where x is small. */
static double chance_of(double x)
{
	double y = x / (1 << HALVINGS), p;
	unsigned i;

	p = y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4 * (1 - y / 5))));
	for (i = 0; i < HALVINGS; i++)
		p *= 2 - p;
	return p;
}

/* 1 / (1 - exp(-x)), x at most 1: 1/x + 1/2 + the series of Bernoulli's numbers
 * over factorials, to 10^-7. */
static double weight_of_small(double x)
{
	double square = x * x;
	double rest = 1. / 30240 - square * (1. / 1209600);

	return 1 / x +
	       (0.5 + x * (1. / 12 - square * (1. / 720 - square * rest)));
}

uint64_t chance_weight(uint64_t size, uint64_t interval)
{
	double x = (double)max_size(size, 1) / (double)interval;

	if (interval <= 1 || x > RATIO_MOST)
		return (uint64_t)1 << CHANCE_SHIFT;
	if (likely(x <= 1))
		return (uint64_t)((1 << CHANCE_SHIFT) * weight_of_small(x) +
				  0.5);
	return (uint64_t)((1 << CHANCE_SHIFT) / chance_of(x) + 0.5);
}
