/* histogram: counts of numbers in buckets that grow with the number
 *
 * Every power of two has BUCKETS_EACH buckets, so that a bucket is at most
 * 1/64 of its number wide, 1.6 %; numbers below BUCKETS_EACH are exact.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define BUCKETS_SHIFT 6
#define BUCKETS_EACH (1u << BUCKETS_SHIFT)
#define NR_BUCKETS (BUCKETS_EACH * (65 - BUCKETS_SHIFT))

struct histogram {
	uint64_t nr, most;
	uint64_t counts[NR_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t number)
{
	unsigned shift;

	if (number < BUCKETS_EACH)
		return (size_t)number;
	shift = 63 - BUCKETS_SHIFT - (unsigned)__builtin_clzll(number);
	return ((size_t)shift << BUCKETS_SHIFT) + (size_t)(number >> shift);
}

/* The middle of the bucket. */
static inline double histogram_number(size_t bucket)
{
	size_t shift = bucket >> BUCKETS_SHIFT;
	uint64_t low;

	if (bucket < BUCKETS_EACH * 2)
		return (double)bucket;
	shift--;
	low = (uint64_t)(bucket - (shift << BUCKETS_SHIFT)) << shift;
	return (double)low + (double)(((uint64_t)1 << shift) - 1) / 2;
}

static inline void histogram_add(struct histogram *histogram, uint64_t number)
{
	histogram->counts[histogram_bucket(number)]++;
	histogram->nr++;
	if (number > histogram->most)
		histogram->most = number;
}

static inline void histogram_merge(struct histogram *into,
				   const struct histogram *from)
{
	for (size_t i = 0; i < NR_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->nr += from->nr;
	if (from->most > into->most)
		into->most = from->most;
}

/* The number that `share` (0 to 1) of all numbers do not exceed. */
static inline double histogram_quantile(const struct histogram *histogram,
					double share)
{
	uint64_t below = 0;

	for (size_t i = 0; i < NR_BUCKETS; i++) {
		below += histogram->counts[i];
		if (below && (double)below >= share * (double)histogram->nr)
			return histogram_number(i);
	}
	return 0;
}

#endif
