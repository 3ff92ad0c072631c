/* layer 4.5: chance: which allocations are sampled; contract in chance.h */
#include "sample/chance.h"

#include "base/bits.h"

#define LN_2 0.69314718055994530942
#define SQRT_2 1.41421356237309504880
#define RATIO_MOST 44.0 /* exp(-44) is nothing beside 1 */
#define HALVINGS 10
#define DISTANCE_MOST ((double)(UINT64_C(1) << 62))

/* -ln(x / 2^64), x > 0: the power of two apart, for the rest, from 1/sqrt(2) to
 * sqrt(2), the series of the area tangent. */
static double minus_log(uint64_t x)
{
	unsigned last = bits_last(x);
	double m = (double)(x << (63 - last)) / 9223372036854775808.0;
	double s, square, term, sum = 0;
	int k, power = (int)last - 64;

	if (m > SQRT_2) {
		m /= 2;
		power++;
	}
	s = (m - 1) / (m + 1);
	square = s * s;
	term = s;
	for (k = 1; k < 20; k += 2) {
		sum += term / k;
		term *= square;
	}
	return -(2 * sum + power * LN_2);
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

uint64_t chance_weight(uint64_t size, uint64_t interval)
{
	double x = (double)max_size(size, 1) / (double)interval;

	if (interval <= 1 || x > RATIO_MOST)
		return (uint64_t)1 << CHANCE_SHIFT;
	return (uint64_t)((1 << CHANCE_SHIFT) / chance_of(x) + 0.5);
}
