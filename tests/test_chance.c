/* sample/chance.h: weights and distances against libm's
 *
 * build: -lm
 */
#include <math.h>

#include "base/bits.h"
#include "cases.h"
#include "base/bits.h"
#include "sample/chance.h"

#define NR 200000
#define ONE ((double)(1 << CHANCE_SHIFT))

static void assert_near(double got, double want, double error)
{
	if (fabs(got - want) > error * fabs(want))
		fail_msg("%.17g, not %.17g", got, want);
}

TEST(test_weight)
{
	static const uint64_t intervals[] = { 2, 100, 4096, 524288, 1u << 30,
					      (uint64_t)1 << 40 };
	uint64_t size;

	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++)
		for (size = 1; size < (uint64_t)1 << 45; size += size / 3 + 1) {
			double x = (double)size / (double)intervals[i];

			/* To a unit of the last place, or of double. */
			assert_near((double)chance_weight(size, intervals[i]),
				    ONE / -expm1(-x), 1e-12 + 1 / ONE);
		}
}

TEST(test_every_block)
{
	assert_int_equal(chance_weight(1, 1), 1 << CHANCE_SHIFT);
	assert_int_equal(chance_weight(0, 1), 1 << CHANCE_SHIFT);
	assert_int_equal(chance_distance(12345, 1), 0);
	assert_int_equal(chance_weight(UINT64_MAX, 524288), 1 << CHANCE_SHIFT);
	assert_int_equal(chance_weight(0, 524288), chance_weight(1, 524288));
}

/* Whole bytes. */
static void assert_distance(uint64_t random, uint64_t interval)
{
	double want = -log((double)(random | 1) * 0x1p-64) * (double)interval;
	double got = (double)chance_distance(random, interval);

	if (fabs(got - want) > 1 + 1e-11 * want)
		fail_msg("%.17g, not %.17g", got, want);
}

TEST(test_distance)
{
	static const uint64_t randoms[] = { 0, 1, 2, 3, 1ull << 32, 1ull << 63,
					    0xb504f333f9de6484,
					    0xb504f333f9de6485, ~0ull };
	const uint64_t interval = (uint64_t)1 << 40;

	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++)
		assert_distance(randoms[i], interval);
	for (size_t i = 0; i < NR; i++)
		assert_distance(bits_scramble(i), interval);
}

/* Four standard errors. */
TEST(test_mean_and_tail)
{
	const uint64_t interval = 524288;
	double sum = 0, beyond = 0;

	for (unsigned i = 0; i < NR; i++) {
		uint64_t d = chance_distance(bits_scramble(i), interval);

		sum += (double)d;
		beyond += d > 2 * interval;
	}
	assert_near(sum / NR, (double)interval, 4 / sqrt(NR));
	assert_near(beyond / NR, exp(-2), 4 * sqrt(exp(2) / NR));
}

TEST_MAIN(NULL, NULL)
